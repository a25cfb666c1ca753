"""Packages of an exported network for the tools that people build with: a file each, and one table of all."""
