# Two commands do all the set-up: `make demo` and `make test`. Both are repeatable, and fast the second time.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The same packages, but for the next Hydra.
HYDRA14 := .venv-hydra14
# The same packages, and the libraries whose schedules are compared with ours.
PARITY := .venv-parity
# The same packages, but for the oldest Optuna.
OPTUNA4 := .venv-optuna4
# The same packages, and Ray.
RAY := .venv-ray

# What editors check YAML with; some tests talk to it.
YAML_SERVER := yaml-language-server@2.0.0

.PHONY: demo test test-hydra14 test-parity test-optuna4 servers test-servers fuzz upstream mutants lint format bench docs study clean

# Restarts that are smooth within epochs, and whose periods double: 2 + 4 + 8 + 16 epochs.
DEMO := scheduler=cosine_warm_restarts scheduler.interval=step scheduler.T_0=2ep scheduler.T_mult=2

demo: $(VENV)/.examples
	$(BIN)/lr-configs plot --config-dir conf --config-name config $(DEMO) --steps-per-epoch 23
	$(BIN)/python examples/train.py $(DEMO)

test: $(VENV)/.dev $(VENV)/.$(YAML_SERVER)
	$(BIN)/python -m pytest

# What knows of Hydra. `-p no:cacheprovider`, since the two environments share a checkout.
test-hydra14: $(HYDRA14)/.dev
	$(HYDRA14)/bin/python -m pytest -p no:cacheprovider tests/test_hydra.py tests/test_hydra_untouched.py \
		tests/test_examples.py tests/test_configs.py tests/test_readme.py tests/test_composed.py tests/test_checking.py \
		tests/test_list_show.py tests/test_lr_grid.py lr_configs/hydra_store.py

# Whole runs beside transformers' and timm's schedulers. They lie in an environment behind the first one, as Hydra's.
test-parity: $(PARITY)/.dev
	$(PARITY)/bin/python -m pytest -p no:cacheprovider tests/parity

# Studies with the oldest Optuna.
test-optuna4: $(OPTUNA4)/.dev
	$(OPTUNA4)/bin/python -m pytest -p no:cacheprovider tests/test_lr_optuna.py

# What the tests on real servers and in a browser need, from Debian's packages; as root.
servers:
	bash tests/servers/slurm.sh install
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; }
	command -v chromium >/dev/null || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

# Sweeps on real clusters. What is missing is a failure here, and a skipped test in `make test`.
test-servers: $(VENV)/.dev $(RAY)/.dev
	LR_CONFIGS_SERVERS=1 $(BIN)/python -m pytest -n 0 -p no:cacheprovider tests/servers --ignore tests/servers/test_ray.py
	LR_CONFIGS_SERVERS=1 $(RAY)/bin/python -m pytest -n 0 -p no:cacheprovider tests/servers/test_ray.py

# Torch's and Lightning's own tests, with our classes in torch's place, from checkouts that lie side by side.
upstream: $(VENV)/.dev
	@test -d "$(UPSTREAM_TESTS)" || { echo "UPSTREAM_TESTS=FOLDER names a folder with checkouts of pytorch and pytorch-lightning"; exit 1; }
	UPSTREAM_TESTS="$(abspath $(UPSTREAM_TESTS))" $(BIN)/python -m pytest tests/upstream

# How many seeded mistakes the tests notice; MUTANTS="--number 50 --only plan,horizon --seed 1" for another
# sample, and with --again for those of it that survived last. What the tests reach is kept in .mutants/.
mutants: $(VENV)/.dev
	$(BIN)/python -m benchmarks.mutants $(MUTANTS)

# Random runs, histories, damage and kills from a fresh seed, against the oracle of tests/oracle.py.
fuzz: $(VENV)/.dev
	$(BIN)/python tests/fuzz.py --seconds $(or $(SECONDS_OF_FUZZ),600)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.run

docs: $(VENV)/.dev
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/migrating.py
	$(BIN)/python docs/gallery.py
	$(BIN)/python docs/study.py

# docs/study.md: 768 short runs, and what is made of them. Interrupted, the same command runs what is left.
study: $(VENV)/.dev
	$(BIN)/python examples/train.py -m sweep=study launcher=joblib
	$(BIN)/python examples/train.py -m sweep=study data=cells model=perceptron launcher=joblib
	$(BIN)/lr-configs compare multirun/study/digits
	$(BIN)/lr-configs compare multirun/study/cells
	$(BIN)/python docs/study.py multirun/study

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.examples: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[examples]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/.examples

# Without npm the tests that need it say so.
$(VENV)/.$(YAML_SERVER): | $(VENV)/bin/python
	if command -v npm > /dev/null; then \
		npm install --silent --no-audit --no-fund --prefix $(VENV)/node $(YAML_SERVER) && touch $@; fi

# Torch is not installed twice: behind its own packages, such an environment has those of the first one.
define environment
$(BIN)/python -m venv --clear --without-pip $(1)
$(BIN)/python -c "import sysconfig; print(f'import site; site.addsitedir({sysconfig.get_path(\"purelib\")!r})')" \
	> $$(echo $(1)/lib/python*/site-packages)/first_environment.pth
endef

$(HYDRA14)/.dev: constraints-hydra14.txt $(VENV)/.dev
	$(call environment,$(HYDRA14))
	$(BIN)/python -m pip --python $(HYDRA14)/bin/python install --quiet --no-deps --requirement constraints-hydra14.txt
	touch $@

# Timm is installed without torchvision, which its schedulers do not need.
$(PARITY)/.dev: pyproject.toml constraints.txt $(VENV)/.dev
	$(call environment,$(PARITY))
	$(BIN)/python -m pip --python $(PARITY)/bin/python install --quiet --constraint constraints.txt transformers accelerate
	$(BIN)/python -m pip --python $(PARITY)/bin/python install --quiet --no-deps --constraint constraints.txt timm
	touch $@

$(OPTUNA4)/.dev: constraints-optuna4.txt $(VENV)/.dev
	$(call environment,$(OPTUNA4))
	$(BIN)/python -m pip --python $(OPTUNA4)/bin/python install --quiet --no-deps --requirement constraints-optuna4.txt
	touch $@

# Hydra's launcher for Ray wants a cloudpickle of its own.
$(RAY)/.dev: constraints-ray.txt $(VENV)/.dev
	$(call environment,$(RAY))
	$(BIN)/python -m pip --python $(RAY)/bin/python install --quiet --requirement constraints-ray.txt
	touch $@

clean:
	rm -rf $(VENV) $(HYDRA14) $(PARITY) $(OPTUNA4) $(RAY) .pytest_cache .mypy_cache .ruff_cache .hypothesis .mutants
