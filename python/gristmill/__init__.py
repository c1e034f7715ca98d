"""Gristmill: raw text in, a documented corpus and a trained, quantised language model out."""

from __future__ import annotations
