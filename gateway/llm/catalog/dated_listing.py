"""A list of models, and the day on which it came."""

from dataclasses import dataclass
from datetime import date

from gateway.llm.listing import Listing


@dataclass(frozen=True, slots=True)
class DatedListing:
    listing: Listing
    as_of: date
