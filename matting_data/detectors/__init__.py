"""Human detectors: the default one, plug-ins, and what they have in common."""
