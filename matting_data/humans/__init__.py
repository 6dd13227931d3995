"""Is there a human in a background? Detectors, and the policy that turns what they find into a verdict."""
