#!/usr/bin/env bash
# Trials that optuna 5.0.0 makes by `create_trial` share the dictionary of system attributes they
# are given, and the constraints of the first are those of all that follow.
#
# Optuna 5 keeps a trial's constraints in its system attributes. `optuna.trial.create_trial(...,
# system_attrs=attributes, constraints={"c": value})` writes them into the caller's own dictionary
# (an empty one is replaced, so it does not show there), and a constraint that is in it already stays
# as it is: the second trial made from one dictionary has the first one's constraints, and all that
# says so is a UserWarning. A feasible trial is infeasible then, and samplers and best_trials believe
# it. Whoever copies trials into another study, as the documentation of add_trial shows, passes the
# attributes of a stored trial: with get_trials(deepcopy=False), which is how large studies are read,
# the constraints then show in that study's trials as long as the process lives, and are not in its
# database. A copy of the dictionary (dict(trial.system_attrs)) avoids it.
#
# Source: seen while trials were copied from a stored study into one in memory, to draw the next from
# a part of them; optuna 5.0.0 from PyPI, optuna/trial/_frozen.py.
#
# Output seen:
#   given {'c': -1.0}, has {'c': 1.0}
#   the stored study says {'c': 5.0}, its database {}
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optuna==5.0.0
cat >run.py <<'PYTHON'
import sys
import warnings

import optuna
from optuna.distributions import IntDistribution
from optuna.trial import create_trial

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
SAME = {"values": [1.0], "params": {"x": 1}, "distributions": {"x": IntDistribution(0, 3)}}

attributes = {"generation": 1}
create_trial(system_attrs=attributes, constraints={"c": 1.0}, **SAME)
second = create_trial(system_attrs=attributes, constraints={"c": -1.0}, **SAME)
print(f"given {{'c': -1.0}}, has {second.constraints}")

study = optuna.create_study(storage="sqlite:///study.db", study_name="one")
study.add_trial(create_trial(system_attrs={"generation": 1}, **SAME))
stored = study.get_trials(deepcopy=False)[0]
create_trial(system_attrs=stored.system_attrs, constraints={"c": 5.0}, **SAME)
here = study.trials[0].constraints
there = optuna.load_study(storage="sqlite:///study.db", study_name="one").trials[0].constraints
print(f"the stored study says {here}, its database {there}")

sys.exit(not (second.constraints == {"c": 1.0} and here == {"c": 5.0} and there == {}))
PYTHON
venv/bin/python run.py
