"""report.html: what an export did, in one file that opens offline."""
