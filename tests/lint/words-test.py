"""Shows that tests/lint/words finds each kind of fault, and nothing in good text."""
import subprocess
import sys
import tempfile
from pathlib import Path

WORDS = Path(__file__).with_name("words")
C = "lib/x/x.c"

# (name, file, content, found or not)
ROWS = [
    ("good C", C, b'int x(void)\n{\n  return 1; /* strcpy( in a comment */\n}\n', False),
    ("empty file", C, b"", False),
    ("a path of the machine", "README", b"see /wo" + b"rk/main\n", True),
    ("a path that only looks so", "README", b"a folder's own net/wo" + b"rk/ and /workspace\n", False),
    ("an archive's host", "Dockerfile", b"curl http://deb.deb" + b"ian.org/\n", True),
    ("a registry", "x.py", b"# registry.npm" + b"js.org\n", True),
    ("a note", C, b"/* to" + b"do: later */\n", True),
    ("a name for mktemp", "x.sh", b"mktemp /tmp/a.XX" + b"XXXX\n", False),
    ("blanks at the end", "README", b"text \n", True),
    ("no line end", "README", b"text", True),
    ("a tab in C", C, b"\tint x;\n", True),
    ("a tab in make", "x.mk", b"all:\n\ttrue\n", False),
    ("sprintf", C, b"void f(char *b) { sprintf(b, 1); }\n", True),
    ("snprintf", C, b"void f(char *b) { snprintf(b, 1, 2); }\n", False),
    ("strcpy over lines", C, b"void f(char *b) { strcpy\n  (b, b); }\n", True),
    ("a member of that name", C, b"void f(struct s *s) { s->system(1); s->t.gets(2); }\n", False),
    ("in a string", C, b'const char *s = "system(1)";\n', False),
    ("after a string with a quote", C, b'const char *s = "\\""; int y = system(s);\n', True),
    ("tests may", "tests/unit/x/x.c", b"int y(void) { return system(0); }\n", False),
    ("literal SQL", C, b'int y = sqlite3_exec(db, "begin", 0, 0, 0);\n', False),
    ("literal SQL on the next line", C, b'int y = sqlite3_exec(db,\n    "begin", 0, 0, 0);\n', False),
    ("made-up SQL", C, b"int y = sqlite3_exec(db, sql, 0, 0, 0);\n", True),
    ("made-up SQL in its wrapper", "lib/db/db.c", b"int y = sqlite3_exec(db, sql, 0, 0, 0);\n", False),
    ("a script by name", C, b"bool y = db_script(db, schema, error);\n", False),
    ("a script of a table", C, b"bool y = db_script(s->db, schema[version], error);\n", False),
    ("a made-up script", C, b"bool y = db_script(db, g_strconcat(a, b, NULL), error);\n", True),
    ("test data", "tests/fuzz/corpus/x/1", b"to" + b"do \n\0", False),
]


def found(name, content):
    with tempfile.TemporaryDirectory() as top:
        file = Path(top) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        done = subprocess.run([sys.executable, WORDS, top], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1) or done.stderr:
            sys.exit(f"words itself fails: {done.stderr}")
        return done.returncode == 1


failed = 0
for what, name, content, expected in ROWS:
    if found(name, content) != expected:
        failed += 1
        print(f"{what}: {'not found' if expected else 'found, though it is allowed'}")
print(f"count: lint words: {len(ROWS)} rows, {failed} failed")
sys.exit(1 if failed else 0)
