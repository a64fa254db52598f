"""The contract of pyoutliers, one behaviour for each test."""
