"""Measurements of a certificate, one per file: each offers a `Measurement` under the file's name.

What each is, its formula and its sources: docs/certificate.md. Nothing here opens a file; a measurement
gets a `Subject` and returns statements. Everything is measured on the file that ships; where the torch
network is needed to find a picture, the picture is shown to the file.
"""
