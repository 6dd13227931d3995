"""What a build does about composites that cannot be made."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass

from matting_data.errors import MattingDataError
from matting_data.shards.commit import Failures

_LOG = logging.getLogger(__package__)


class TooManyFailures(MattingDataError):
    """A build that was told to stop met more failures than it may; what it finished stays."""

    exit_code = 1


@dataclass(frozen=True)
class FailurePolicy:
    """How failures are met.

    Attributes
    ----------
    stop : bool
        Stop when there are more than `max_errors`, instead of going on without what failed.
    max_errors : int
        How many are acceptable.
    retry : bool
        Try again what an earlier run could not make.
    """

    stop: bool = False
    max_errors: int = 0
    retry: bool = True


def meet_failures(failed: Failures, seen: list[tuple[str, str, str]], policy: FailurePolicy) -> None:
    """Add failures to those `seen`; TooManyFailures where the policy says that the build is to stop."""
    seen += failed
    for key, reason, detail in failed:
        _LOG.info("%s failed: %s (%s)", key, reason, detail)
    if policy.stop and len(seen) > policy.max_errors:
        key, reason, detail = seen[-1]
        raise TooManyFailures(
            f"stopped after {len(seen)} failures, the last {key} ({reason}: {detail}): "
            "see to its input and run the same command again, or use --on-error skip"
        )


def require_samples(failed: Failures, planned: int) -> None:
    """Raise TooManyFailures where not one of `planned` composites could be made: there is no dataset without any."""
    if len(failed) == planned:
        raise TooManyFailures(
            f"none of the {planned} composites could be made ({'; '.join(most_frequent(failed))}): "
            "see to the inputs and run the same command again"
        )


def most_frequent(failed: Failures) -> list[str]:
    """Say the most frequent reasons of failure with an example each: ``12 × changed, such as KEY (DETAIL)``."""
    examples = {reason: (key, detail) for key, reason, detail in reversed(failed)}
    counts = Counter(reason for _, reason, _ in failed).most_common(3)
    return [f"{n} × {reason}, such as {examples[reason][0]} ({examples[reason][1]})" for reason, n in counts]
