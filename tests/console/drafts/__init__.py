"""Tests of console.drafts."""
