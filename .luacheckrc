-- SPDX-License-Identifier: Apache-2.0
std = 'luajit'
max_line_length = 120
files['tests/live'] = { max_line_length = false } -- scripts within scripts
files['tests/cli'] = { max_line_length = false }
