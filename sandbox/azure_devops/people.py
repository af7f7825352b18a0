"""Who is who in the stand-in organisation: tokens, display names, identity ids.

Ids are made from the name, so that they are the same in every run.
"""

import re
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

NAMESPACE = uuid.UUID("9a1c2f60-3d5e-4b71-8a58-6f0d2c4e7b13")


def guid(*parts: str) -> str:
    """A GUID that is always the same for the same words."""
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


@dataclass(frozen=True)
class Person:
    """An identity of the organisation; key on `id`, names may repeat."""

    id: str
    name: str
    email: str
    is_container: bool = False

    @property
    def descriptor(self) -> str:
        """The graph descriptor Azure DevOps shows next to the id."""
        return f"aad.{uuid.UUID(self.id).hex}"


class People:
    """Everyone the organisation knows, found by token, by display name or by id."""

    def __init__(self, organization: str, tokens: Mapping[str, str]) -> None:
        self.organization = organization
        self._by_name: dict[str, Person] = {}
        self._by_token = {token: self.named(name) for token, name in tokens.items()}
        self.system = Person(
            guid(organization, "service accounts"),
            "[DefaultCollection]\\Project Collection Service Accounts",
            "",
            is_container=True,
        )

    def named(self, name: str) -> Person:
        """The person with this display name; a name not seen before joins the organisation.

        A name such as `ml Build Service (contoso)` is that of the identity which a project's builds
        run as.
        """
        if name not in self._by_name:
            plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
            mailbox = ".".join(re.findall(r"[a-z0-9]+", plain)) or "someone"
            unique = f"{mailbox}@{self.organization}.example"
            if name.endswith(f" Build Service ({self.organization})"):
                unique = f"Build\\{guid(name)}"
            self._by_name[name] = Person(guid(self.organization, name), name, unique)
        return self._by_name[name]

    def with_token(self, token: str) -> Person | None:
        """Whose token this is, or None."""
        return self._by_token.get(token)

    def with_id(self, identity: str) -> Person | None:
        """The person with this identity id, or None."""
        return next(
            (person for person in self._by_name.values() if person.id == identity.lower()), None
        )
