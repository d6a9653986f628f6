"""Studies: many runs described by values, spread over processes, kept as they finish, and told in one report."""

from kanpde.studies.ablations import Ablation, ablation
from kanpde.studies.comparison import Comparison, compare
from kanpde.studies.scaling_laws import Scaling, scaling
from kanpde.studies.settings import StudySettings, read_study_settings
from kanpde.studies.study import Study

__all__ = [
    "Ablation",
    "Comparison",
    "Scaling",
    "Study",
    "StudySettings",
    "ablation",
    "compare",
    "read_study_settings",
    "scaling",
]
