"""Checks of depth images: unit, registration, synchronization, repetition."""
