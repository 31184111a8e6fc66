"""Tests of the generator and the discriminator need the extra `learn`; without it they are not collected."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") and find_spec("jaxtyping") else ["test_gan*.py"]
