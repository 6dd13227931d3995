"""Pictures and pages about a dataset: contact sheets, charts, plots and the HTML report."""
