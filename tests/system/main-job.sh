#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job, with the pages /test/page-N.pbm; see main_job.py.
exec python3 /test/main_job.py
