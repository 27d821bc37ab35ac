# SPDX-License-Identifier: MIT
"""The rules of docs/spec.md, what docs/rules.tsv says of each, and which tests cite them."""
import os
import re

ROOT = os.environ.get('MEMPLUG_SOURCE') or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, 'docs', 'rules.tsv')
HEADER = '''# SPDX-License-Identifier: MIT
# id	status (tested, open, informative, absent, issue-N)	where or why
'''


def spec_ids():
    """Ids in the order of the specification."""
    with open(os.path.join(ROOT, 'docs', 'spec.md')) as file:
        return re.findall(r'^\W*\*\*([A-Z]+-\d+)\*\*', file.read(), re.M)


def table():
    """Rows as [id, status, where]."""
    rows = []
    if os.path.exists(TABLE):
        with open(TABLE) as file:
            for line in file:
                if line.strip() and line[0] != '#':
                    rows.append((line.rstrip('\n').split('\t') + ['', ''])[:3])
    return rows


def citations():
    """{id: [test file, ...]} from TEST(ID_n, ...) in C, and from "# cites: ID-n ..." in scripts."""
    cited = {}
    tests = os.path.join(ROOT, 'tests')
    for folder, folders, names in os.walk(tests):
        # tests/lib holds the framework, mutants are patches: neither tests a rule.
        folders[:] = sorted(f for f in folders if os.path.join(folder, f) not in (
            os.path.join(tests, 'lib'), os.path.join(tests, 'mutants')))
        for name in sorted(names):
            path = os.path.join(folder, name)
            with open(path, errors='replace') as file:
                text = file.read()
            if name.endswith('.c'):
                found = [f'{area}-{number}' for area, number in
                         re.findall(r'^[ \t]*TEST\(\s*([A-Z]+)_(\d+)\s*,', text, re.M)]
            elif text.startswith('#!'):
                found = re.findall(r'[A-Z]+-\d+', ' '.join(re.findall(r'^# cites:(.*)$', text, re.M)))
            else:
                continue
            for rule in found:
                where = os.path.relpath(path, ROOT)
                if where not in cited.setdefault(rule, []):
                    cited[rule].append(where)
    return cited
