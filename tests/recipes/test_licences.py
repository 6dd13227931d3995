"""Licences by whatever name they are written."""

from __future__ import annotations

import pytest

from matting_data.errors import UsageError
from matting_data.recipes.licenses import allowed_licenses, recognise

BY = "https://creativecommons.org/licenses/by/2.0/"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BY, "CC-BY-2.0"), ("http://creativecommons.org/licenses/by/2.0/deed.en", "CC-BY-2.0"),
        ("CC BY 2.0", "CC-BY-2.0"), ("cc-by-2.0", "CC-BY-2.0"), ("BY 4.0", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/2.0/", "CC-BY-NC-SA-2.0"), ("BY-NC-ND 4.0", "CC-BY-NC-ND-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"), ("CC0", "CC0-1.0"), ("cc0 1.0", "CC0-1.0"),
        ("CC BY", ""), ("", ""), ("All rights reserved", "LicenseRef-all-rights-reserved"),
        ("https://evil.org/licenses/by/2.0/", ""),
        ("https://creativecommons.org.evil.org/licenses/by/2.0/", ""), ("0", ""), ("by", ""),
    ],
)  # fmt: skip
def test_a_licence_has_one_code(text: str, code: str) -> None:
    found = recognise(text)
    assert (found.id if found else "") == code


def test_the_policy_allows_what_it_names_only() -> None:
    allowed = allowed_licenses(["CC BY 2.0", "cc0"])
    assert allowed(BY) and allowed("CC-BY-2.0") and allowed("https://creativecommons.org/publicdomain/zero/1.0/")
    assert not any(map(allowed, ["", "CC BY 4.0", "CC BY-NC 2.0", "https://creativecommons.org/licenses/by-sa/2.0/"]))
    assert allowed_licenses(["MIT", "research only"])("Research only") and not allowed_licenses(["MIT"])("")
    with pytest.raises(UsageError, match="licence 'free' is not known"):
        allowed_licenses(["free"])
    with pytest.raises(UsageError, match="allows none"):
        allowed_licenses([])
