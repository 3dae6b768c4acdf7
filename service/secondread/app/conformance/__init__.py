"""The DICOM conformance statement (PS3.2), generated from the tables that the code uses."""
