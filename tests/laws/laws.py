#!/usr/bin/env python3
"""Laws of data: proves with z3 what the files *.smt2 say of all values, and ties their formulas to
the C of the hypervisor. README says how.
  laws.py translate FILE...          the formulas in C, to standard output
  laws.py check TIE README FILE...   everything; TIE is that C with the hypervisor's (tie.c)
A function whose name has no hyphen is a model of C code and must be tied to it; the others are
notions of the laws. NAME-domain says for which values NAME is tied; functions that begin with op-
are only there to test the translation."""
import pathlib
import random
import re
import subprocess
import sys
import time
import smt

TRIES = 120     # changed formulas that are tried on a law until one makes it false
EASY, HARD = 6, 50


def models_of(script):
    return [f for f in script.functions.values() if "-" not in f.name]


def below(script, names):
    """The functions that these names stand on, in order."""
    found, left = set(), [n for n in names if n in script.functions]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += script.functions[name].calls()
    return [f for f in script.functions.values() if f.name in found]


# --- translate ------------------------------------------------------------------------------------

HEAD = """#include "bv.h"
#include "tie.h"

unsigned mutant;

static inline bv flip(unsigned first, unsigned bits)
{
    return mutant - first < bits ? (bv)1 << (mutant - first) : 0;
}

"""


def wrapper(prefix, f, result):
    name, args = smt.c_name(f.name), ", ".join(f"a[{i}]" for i in range(len(f.args)))
    return (f"static {result} {prefix}_of_{name}(const uint64_t *a)\n{{\n"
            f"    return ({result}){prefix}_{name}({args});\n}}\n")


def row(script, f):
    nodes = [n for g in below(script, [f.name]) for n in smt.walk(g.body)]
    constants = [n.param & (1 << 64) - 1 for n in nodes if n.op == "const" and n.width]
    constants = sorted(set(constants)) or [0]
    name = smt.c_name(f.name)
    domain = f"model_of_{name}_domain" if f.name + "-domain" in script.functions else "NULL"
    changed = f"changed_of_{name}" if "-" not in f.name else "NULL"
    widths = ", ".join(str(64 if w == smt.INT else max(w, 1)) for _, w in f.args)
    values = ", ".join(f"0x{c:x}ull" for c in constants)
    return (f'    {{ "{f.name}", {len(f.args)}, {{ {widths} }}, model_of_{name}, {changed},\n'
            f"      {domain}, (const uint64_t[]){{ {values} }}, {len(constants)},\n"
            f"      {len(smt.mutants(f))} }},\n")


def translate(files):
    out, rows = [HEAD], []
    for file in files:
        script = smt.Script(pathlib.Path(file).read_text())
        roots = [n for n in script.functions
                 if "-" not in n or n.endswith("-domain") or n[:3] == "op-"]
        for f in below(script, roots):
            result = "bool" if f.name.endswith("-domain") else "uint64_t"
            out.append(smt.Emitter(f, False).text("model"))
            if "-" not in f.name:
                out.append(smt.Emitter(f, True).text("changed"))
                out.append(wrapper("changed", f, "uint64_t"))
            if f.name in roots:
                out.append(wrapper("model", f, result))
            if "-" not in f.name or f.name[:3] == "op-":
                rows.append(row(script, f))
    print("".join(out) + "\nconst struct model models[] = {\n" + "".join(rows))
    print("    { .name = NULL },\n};")


# --- z3 -------------------------------------------------------------------------------------------

def z3(text, effort=HARD):
    """The answers; effort is of z3's own kind, some tenths of a second, so that no answer depends
    on how busy the machine is."""
    p = subprocess.run(["z3", "-in", f"rlimit={500000 * effort}"], input=text, text=True,
                       stdout=subprocess.PIPE, check=False)
    if "(error" in p.stdout and "model is not available" not in p.stdout:
        sys.exit(f"laws.py: z3 does not understand: {p.stdout}")
    return p.stdout.splitlines()


def words(text):
    return re.sub(r"\s+", " ", text).strip()


class Law:
    """What stands between a push and a pop."""

    def __init__(self, forms):
        self.sentence = words(forms[0][1].strip('"'))
        self.text = "\n".join(smt.show(f) for f in forms[1:])
        self.names = set(smt.TOKEN.findall(self.text))


def laws_of(script):
    laws, inside = [], None
    for form in script.forms:
        if form == ["push"]:
            inside = []
        elif form == ["pop"]:
            laws.append(Law(inside))
            inside = None
        elif inside is not None:
            inside.append(form)
    return laws


def definitions(script, changed=None, mutant=None):
    sorts = [smt.show(f) for f in script.forms if f[0] == "define-sort"]
    functions = [smt.define(f, None, mutant if f is changed else (None, None))
                 for f in script.functions.values()]
    return "\n".join(sorts + functions) + "\n"


def prove(file, script):
    """The sentences that z3 proves, from the file as it stands."""
    p = subprocess.run(["z3", f"rlimit={1000000 * HARD}", file], stdout=subprocess.PIPE, text=True,
                       check=False)
    said = re.split(r"^(sat|unsat|unknown)$", p.stdout, flags=re.M)
    answers = {words(sentence): answer for sentence, answer in zip(said[::2], said[1::2])}
    for law in laws_of(script):
        if answers.get(law.sentence) != "unsat":
            print(f"FALSE ({answers.get(law.sentence)}): {law.sentence}")
            print("\n".join(z3(definitions(script) + law.text + "(get-model)")))
    return {sentence for sentence, answer in answers.items() if answer == "unsat"}


def change_text(f, mutant):
    node, change = mutant
    if node.op == "const":
        return f"{f.name} with {node.param ^ 1 << change:#x} for {node.param:#x}"
    return f"{f.name} with {change} for {node.op}"


def can_fail(script, law):
    """A changed formula with which the law is false. First what leaves something out."""
    models = [f for f in below(script, law.names) if "-" not in f.name]
    changes = [(f, m) for f in models for m in smt.mutants(f)]
    random.Random(law.sentence).shuffle(changes)
    changes.sort(key=lambda c: (c[1][1] not in smt.LEFT_OUT, c[1][0].op == "const"))
    for f, m in changes[:TRIES]:
        if z3(definitions(script, f, m) + law.text, EASY) == ["sat"]:
            return change_text(f, m)
    return None


# --- What the tie says ----------------------------------------------------------------------------

class Tie:
    """found: how many changed formulas were noticed; left: the numbers of the others."""

    def __init__(self, program):
        p = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False)
        self.failed, self.values, self.found = p.returncode, 0, 0
        self.tied, self.left, self.samples = set(), {}, {}
        for line in p.stdout.splitlines():
            word, name, *rest = line.split()
            if word == "tied":
                self.tied.add(name)
                self.values += int(rest[0])
                self.found += int(rest[1])
            elif word == "left":
                self.left[name] = [int(r) for r in rest]
            elif word == "sample":
                self.samples.setdefault(name, []).append([int(r) for r in rest])
            else:
                print(line)


def same_value(f, sample):
    args = [smt.constant_text(v, w) for v, (_, w) in zip(sample, f.args)]
    return f"(= ({f.name} {' '.join(args)}) {smt.constant_text(sample[-1], f.width)})"


def translation_ok(script, tie):
    """What the C made of the formulas computes, z3 computes too."""
    ok = True
    for f in script.functions.values():
        samples = tie.samples.get(f.name)
        if samples is None:
            continue
        all_same = " ".join(same_value(f, s) for s in samples)
        wrong = f"(assert (not (and true {all_same})))(check-sat)"
        if z3(definitions(script) + wrong) != ["unsat"]:
            print(f"WRONG: the translation of {f.name} to C")
            ok = False
    return ok


def declarations(script, f):
    """Values in the domain of f."""
    text = "".join(f"(declare-const {n} {smt.sort_text(w)})" for n, w in f.args)
    if f.name + "-domain" in script.functions:
        text += f"(assert ({f.name}-domain {' '.join(n for n, _ in f.args)}))"
    return text


def same_ok(script, f, left):
    """Changed formulas that the tie took for f: z3 must find them the same in its whole domain."""
    args, text = " ".join(n for n, _ in f.args), definitions(script) + declarations(script, f)
    for i, mutant in enumerate(left):
        text += smt.define(f, f"changed-{i}", mutant) + "(push)"
        text += f"(assert (distinct ({f.name} {args}) (changed-{i} {args})))(check-sat)(pop)\n"
    ok = True
    for mutant, answer in zip(left, z3(text) if left else ()):
        if answer != "unsat":
            print(f"NOT NOTICED by the tie ({answer}): {change_text(f, mutant)}")
            ok = False
    return ok


# --- check ----------------------------------------------------------------------------------------

def check_models(script, tie):
    ok = translation_ok(script, tie)
    for f in models_of(script):
        if f.name not in tie.tied:
            print(f"NOT TIED: {f.name}")
            ok = False
        ok &= same_ok(script, f, [smt.mutants(f)[n - 1] for n in tie.left.get(f.name, ())])
    return ok


def check_laws(file, script, told):
    ok, proved = True, prove(file, script)
    for law in laws_of(script):
        if law.sentence not in proved:
            ok = False
            continue
        way = can_fail(script, law)
        print(f"proved: {law.sentence}" + (f" [false of {way}]" if way else ""), flush=True)
        if way is None:
            print(f"CANNOT FAIL, whatever formula is changed: {law.sentence}")
        if law.sentence not in told:
            print(f"NOT IN README: {law.sentence}")
        ok &= way is not None and law.sentence in told
    return ok


def check(program, readme, files):
    start, tie, told = time.monotonic(), Tie(program), words(pathlib.Path(readme).read_text())
    ok, nr_laws = tie.failed == 0, 0
    for file in files:
        script = smt.Script(pathlib.Path(file).read_text())
        ok &= check_models(script, tie)
        ok &= check_laws(file, script, told)
        nr_laws += len(laws_of(script))
    left = sum(len(numbers) for numbers in tie.left.values())
    print(f"{nr_laws} laws; {len(tie.tied)} formulas equal to the C on {tie.values:,} values; of "
          f"{tie.found + left:,} changed formulas {tie.found:,} noticed by that, {left} the "
          f"same as before; {time.monotonic() - start:.0f} s")
    print("check-laws: " + ("passed" if ok else "FAILED"))
    return not ok


if __name__ == "__main__":
    if sys.argv[1] == "translate":
        translate(sys.argv[2:])
    else:
        sys.exit(check(sys.argv[2], sys.argv[3], sys.argv[4:]))
