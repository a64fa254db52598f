"""Keep `pip install` from leaving build/ and *.egg-info in the source folder.

Everything about the package is in pyproject.toml; only the place of the intermediate files, which
has to be a fresh folder for each build, cannot be said there.
"""

import atexit
import shutil
import tempfile

from setuptools import setup

scratch = tempfile.mkdtemp(prefix="pyoutliers-build-")
atexit.register(shutil.rmtree, scratch, ignore_errors=True)
# The script's name keeps it out of the wheel, where it would pass for one of the modules.
setup(
    script_name=__file__,
    options={"build": {"build_base": scratch}, "egg_info": {"egg_base": scratch}},
)
