# SPDX-License-Identifier: Apache-2.0
# What people type. Meson and Ninja do the work.
#
#   make run      install what is missing, build, start the platform with a small real model
#   make test     install what is missing, build with gcc and with clang and sanitizers, run every test
#   make check    fast unit tests and lint only
#   make bench    the benchmarks, as ratios
#   make build    leaves build/drun
#   make clean

.PHONY: build run test check bench clean

build:
	@tools/bootstrap run
	@tools/build

run:
	@tools/bootstrap run
	@tools/run

test:
	@tools/bootstrap test
	@tools/test

check:
	@tools/bootstrap test
	@tools/check

bench:
	@tools/bootstrap test
	@tools/bench

clean:
	rm -rf build build-*
