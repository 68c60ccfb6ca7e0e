"""Pyodide's core imports this as it starts. A page awaits nothing in Python."""
