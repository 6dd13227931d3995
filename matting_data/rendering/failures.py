"""What a build does about composites that cannot be made."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from matting_data.errors import MattingDataError, RefusedError
from matting_data.records.codes import REFUSED
from matting_data.shards.commit import Failures

_LOG = logging.getLogger(__package__)

_MOST_REFUSED = 100

_SHOWN = 3


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
        Try again what an earlier run could not make; what the system refused is always tried again.
    skip_refused : bool
        Go on, and finish the dataset, without inputs that the system refused to read.
    """

    stop: bool = False
    max_errors: int = 0
    retry: bool = True
    skip_refused: bool = False


def meet_failures(failed: Failures, seen: list[tuple[str, str, str]], policy: FailurePolicy) -> None:
    """Add failures to those `seen`.

    Raises
    ------
    TooManyFailures
        The policy says that the build is to stop.
    RefusedError
        The system refused to read so many inputs that a build that is to end with that ends at once.
    """
    seen += failed
    for key, reason, detail in failed:
        _LOG.info("%s failed: %s (%s)", key, reason, detail)
    if policy.stop and len(seen) > policy.max_errors:
        key, reason, detail = seen[-1]
        raise TooManyFailures(
            f"stopped after {len(seen)} failures, the last {key} ({reason}: {detail}): "
            "see to its input and run the same command again, or use --on-error skip"
        )
    if sum(reason == REFUSED for _, reason, _ in seen) >= _MOST_REFUSED:
        require_read(seen, policy)


def require_read(failed: Sequence[tuple[str, str, str]], policy: FailurePolicy) -> None:
    """Raise RefusedError where something failed since the system refused to read its input, unless that is skipped."""
    refused = [(key, detail) for key, reason, detail in failed if reason == REFUSED]
    if refused and not policy.skip_refused:
        examples = "; ".join(f"{key} ({detail})" for key, detail in refused[:_SHOWN])
        more = "; ..." if len(refused) > _SHOWN else ""
        raise RefusedError(
            f"{len(refused)} could not be made since their inputs could not be read: {examples}{more}; run the same "
            "command again once they can be, or let 'mattingdata build' go on without them by --on-error skip"
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
