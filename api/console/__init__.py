"""The console: pages for those who look, ask and act, rendered here and good without any script."""
