"""The one place that names this library's version."""

VERSION = "0.1.0"
