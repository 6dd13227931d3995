"""What a build does about composites that cannot be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matting_data.errors import MattingDataError
from matting_data.records.checked import CheckedBackground, CheckedForeground
from matting_data.shards.commit import Failures


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


@dataclass
class FailureCount:
    """Counts failures as they come, and stops the build where its policy says so."""

    policy: FailurePolicy
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, failed: Failures) -> None:
        """Count (key, reason, detail) of composites or stored backgrounds; TooManyFailures where it is to stop."""
        self.seen += failed
        if not self.policy.stop or len(self.seen) <= self.policy.max_errors:
            return
        key, reason, detail = self.seen[-1]
        raise TooManyFailures(
            f"stopped after {len(self.seen)} failures, the last {key} ({reason}: {detail}): "
            "see to its input and run the same command again, or use --on-error skip"
        )


def failed_checks(inputs: Sequence[CheckedForeground | CheckedBackground]) -> Failures:
    """Return the inputs whose check failed for an unforeseen reason, as (id, reason, detail)."""
    return tuple((record.id, record.reason or "", record.detail or "") for record in inputs if record.state == "failed")
