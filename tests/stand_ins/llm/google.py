"""Google's OAuth as a stand-in: it gives tokens for signed assertions and refresh tokens."""

from typing import Any
from urllib.parse import parse_qs

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse


class GoogleTokens:
    """`public_key` (PEM) checks assertions, `refresh_token` is the one that is taken.

    `expires_in` seconds is what it says of a token; `revoke` makes all that it gave worthless.
    """

    def __init__(self) -> None:
        self.public_key: str | None = None
        self.refresh_token = "refresh-stand-in"
        self.expires_in = 3600
        self.asked: list[dict[str, str]] = []
        self.claims: list[dict[str, Any]] = []
        self.fails_with: int | None = None
        self._good: set[str] = set()

    def are_good(self, token: str) -> bool:
        return token in self._good

    def revoke(self) -> None:
        self._good.clear()

    async def answer(self, request: Request) -> JSONResponse:
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        self.asked.append(form)
        if self.fails_with:
            return JSONResponse({"error": "unavailable"}, status_code=self.fails_with)
        if not self._is_trusted(form):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return self._token()

    async def metadata(self, request: Request) -> JSONResponse:
        """Of Google's machines: whoever sends the header is given a token."""
        flavor = request.headers.get("metadata-flavor", "")
        self.asked.append({"metadata-flavor": flavor})
        if flavor != "Google":
            return JSONResponse({"error": "forbidden"}, status_code=403)
        return self._token()

    def _token(self) -> JSONResponse:
        token = f"ya29.stand-in-{len(self.asked)}"
        self._good.add(token)
        body = {"access_token": token, "expires_in": self.expires_in, "token_type": "Bearer"}
        return JSONResponse(body)

    def _is_trusted(self, form: dict[str, str]) -> bool:
        if form.get("grant_type") == "refresh_token":
            return form.get("refresh_token") == self.refresh_token
        if self.public_key is None:
            return False
        try:
            claims = jwt.decode(
                form["assertion"],
                self.public_key,
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return False
        self.claims.append(claims)
        return True
