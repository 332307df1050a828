#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OWASP CRS against its own regression tests, and the same requests through libmodsecurity3: verdicts and rule ids.

    tests/waf/crs_test.py build/src/lib/waf/waf_crs_runner [N]     a sample, one request of N

CRS 4 and its tests are in ../shared/data (DRUN_SHARED_DATA names another place), and without them this is skipped; CRS
3.3.4 is Debian's package. EXPLAINED lists every difference that is allowed, with the reason (src/lib/waf/DIFFERENCES.md)."""
import glob
import os
import pathlib
import subprocess
import sys
import tempfile

import flatten

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP = 77
PARITY = 0.995

PREAMBLE = r'''SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecRequestBodyLimit 13107200
SecResponseBodyLimit 1048576
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" \
  "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/json" \
  "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "^application/[a-z0-9.-]+[+]json" \
  "id:200006,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
'''
# As CRS's own test environment sets it up.
SETUP = ('SecAction "id:900005,phase:1,nolog,pass,{mode}'
         'setvar:tx.paranoia_level=4,setvar:tx.executing_paranoia_level=4,setvar:tx.blocking_paranoia_level=4,'
         'setvar:tx.detection_paranoia_level=4,setvar:tx.crs_validate_utf8_encoding=1,setvar:tx.arg_name_length=100,'
         'setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,setvar:tx.max_num_args=255,'
         'setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535"\n')

# Tests whose expectation is about the HTTP server in front: it changes or refuses the request before any rule runs.
OF_THE_SERVER = {
    "920181-1": "both Content-Length and Transfer-Encoding: the server drops one",
    "920430-5": "a request line without a version: the server makes it HTTP/0.9 or 1.0",
    "920640-5": "a body without a length: the server sees none",
    "921140-1": "a carriage return in a header: the server answers 400",
}
# Rule ids that may differ from libmodsecurity3 everywhere.
ALWAYS = {
    980130: "v3 does not log a rule that says noauditlog; here it is logged, and not audited",
    980140: "the same", 980170: "the same",
}
# And in one request.
EXPLAINED = {
    ("942130-5", 942131): "v3 logs the first rule of a chain that did not match as a whole",
    ("942520-3", 942131): "the same",
    ("922120-1", 922110): "v3 keeps a part's headers when the body is broken",
    ("920430-5", 920100): "no version: we show the request line as it is, v3 adds HTTP/",
    ("920430-10", 920430): "JUNK/1.0: we show the protocol as it is, v3 makes it HTTP/1.0",
    ("920430-10", 949110): "the same",
}


def data():
    places = [os.environ.get("DRUN_SHARED_DATA"), ROOT / "../shared/data", ROOT / "../../shared/data"]
    return next((pathlib.Path(p) / "crs4" for p in places if p and (pathlib.Path(p) / "crs4").is_dir()), None)


def run(runner, requests, rules, *options):
    """name -> (our status, our ids, its status, its ids)"""
    output = subprocess.run([runner, *options, "--requests", requests, *rules], check=True,
                            stdout=subprocess.PIPE).stdout.decode(errors="replace")
    rows = {}
    for line in output.splitlines():
        name, status, ids, _, its_status, its_ids = line.split("\t")
        rows[name] = (status, set(map(int, ids.split())), its_status, set(map(int, its_ids.split())))
    return rows


def regression(rows, cases):
    """Failures of CRS's own expectations."""
    failed = []
    for name, wanted, unwanted in cases:
        ids = rows[name][1]
        if name not in OF_THE_SERVER and not (wanted <= ids and not unwanted & ids):
            failed.append(f"{name}: without {sorted(wanted - ids)}, with {sorted(unwanted & ids)}")
    return failed


def parity(rows):
    same, unexplained = 0, []
    for name, (status, ids, its_status, its_ids) in rows.items():
        different = {i for i in ids ^ its_ids if i not in ALWAYS}
        if status == its_status and not different:
            same += 1
        rest = {i for i in different if (name, i) not in EXPLAINED}
        if rest or (status != its_status and (name, 949110) not in EXPLAINED):
            unexplained.append(f"{name}: {status} against {its_status}, ids {sorted(rest)}")
    return same / len(rows), unexplained


def check(what, share, problems):
    print(f"{what}: {share}")
    for problem in problems[:20]:
        print("  " + problem)
    return not problems


def crs4(runner, root, tmp, every):
    requests = f"{tmp}/crs4"
    cases = flatten.flatten(root / "tests", requests, every)
    conf = [f"{tmp}/pre.conf", f"{tmp}/crs-setup.conf", f"{tmp}/detect.conf", *sorted(glob.glob(f"{root}/rules/*.conf"))]
    pathlib.Path(conf[1]).write_text((root / "crs-setup.conf.example").read_text())
    # To compile CRS 4's databases takes longer than all the rest: a sample does without, and has those of CRS 3.3.4.
    sample = ["--no-scan"] if every > 1 else []
    rows = run(runner, requests, conf, "--reference", *sample)
    failed = regression(rows, cases)
    count = len([case for case in cases if case[0] not in OF_THE_SERVER])
    good = check("CRS 4 regression tests", f"{count - len(failed)} of {count}", failed)
    share, problems = parity(rows)
    good &= check("CRS 4, as libmodsecurity3", f"{share:.4f}", problems) and share >= PARITY
    if sample:
        return good
    slow = run(runner, requests, conf, "--no-scan")
    differ = [name for name in rows if rows[name][:2] != slow[name][:2]]
    return check("CRS 4, databases against none", f"{len(differ)} differ", differ) and good


def crs3(runner, root, tmp, every):
    setup = "/etc/modsecurity/crs/crs-setup.conf"
    if not os.path.exists(setup):
        print("CRS 3.3.4 is not installed (modsecurity-crs)")
        return True
    requests = f"{tmp}/crs4"
    flatten.flatten(root / "tests", requests, every)
    conf = [f"{tmp}/pre.conf", setup, f"{tmp}/enforce.conf", *sorted(glob.glob("/usr/share/modsecurity-crs/rules/*.conf"))]
    share, problems = parity(run(runner, requests, conf, "--reference"))
    return check("CRS 3.3.4, as libmodsecurity3", f"{share:.4f}", problems) and share >= PARITY


def main():
    root = data()
    if root is None:
        print("skipped: there is no ../shared/data/crs4")
        return SKIP
    with tempfile.TemporaryDirectory() as tmp:
        pathlib.Path(f"{tmp}/pre.conf").write_text(PREAMBLE)
        pathlib.Path(f"{tmp}/detect.conf").write_text(SETUP.format(mode="ctl:ruleEngine=DetectionOnly,"))
        pathlib.Path(f"{tmp}/enforce.conf").write_text(SETUP.format(mode=""))
        every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
        good = [test(sys.argv[1], root, tmp, every) for test in (crs4, crs3)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    sys.exit(main())
