"""The version of the gateway that is installed."""

from importlib.metadata import version

VERSION = version("gateway")
