"""Tests of `./hookledger import`."""
