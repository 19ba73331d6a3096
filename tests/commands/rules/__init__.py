"""Tests of ./hookledger rules …."""
