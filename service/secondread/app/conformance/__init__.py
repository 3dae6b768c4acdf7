"""The DICOM conformance statement (PS3.2): a template, and the tables of the code that fill it."""
