"""The exam of the acceptance tests, from which the images are cut out."""

from tests.acceptance.conftest import pair_exam

__all__ = ["pair_exam"]
