"""report.html: the report of an export, in one file that opens offline."""
