"""Reads the subset of SMT-LIB2 that the files of laws use, writes it back, and translates
define-funs to C: bit-vectors of up to 128 bits, Booleans, let, ite, and integers that are neither
negative nor of more than 128 bits. Knows which small changes (mutants) a function can be given.
Nothing here knows a law; laws.py is the caller. The operators in C are bv.h."""
import re

TOKEN = re.compile(r';[^\n]*|"(?:[^"]|"")*"|[()]|[^\s()";]+')
BOOL, INT = 0, -1                       # as a width


class Node:
    """An expression: op is an operator, or "arg", "call" or "const" with the name or the value in
    param. width: of bits, or BOOL or INT."""

    def __init__(self, op, args=(), width=BOOL, param=None):
        self.op, self.args, self.width, self.param = op, tuple(args), width, param


class Function:
    """A define-fun; args: [(name, width)]."""

    def __init__(self, name, args, width, body):
        self.name, self.args, self.width, self.body = name, args, width, body

    def calls(self):
        return {n.param for n in walk(self.body) if n.op == "call"}


def read(text):
    """The forms of a file: strings and lists of them."""
    stack = [[]]
    for token in TOKEN.findall(text):
        if token[0] == ";":
            continue
        if token == "(":
            stack.append([])
        elif token == ")":
            form = stack.pop()
            stack[-1].append(form)
        else:
            stack[-1].append(token)
    if len(stack) != 1:
        raise ValueError("a bracket is not closed")
    return stack[0]


def show(form):
    return form if isinstance(form, str) else "(" + " ".join(show(f) for f in form) + ")"


def walk(node):
    yield node
    for a in node.args:
        yield from walk(a)


CHAINED = {"and", "or", "bvand", "bvor", "bvxor", "bvadd", "bvmul", "concat", "+", "*"}
SAME = {"bvand", "bvor", "bvxor", "bvadd", "bvsub", "bvmul", "bvudiv", "bvurem", "bvshl", "bvlshr",
        "bvashr", "+", "-", "*", "div", "mod"}
COMPARE = {"=", "distinct", "bvult", "bvule", "bvugt", "bvuge", "bvslt", "bvsle", "bvsgt", "bvsge",
           "<", "<=", ">", ">="}
LOGIC = {"and", "or", "=>", "xor"}
# What a mutant puts in an operator's place: another one, or one of its operands.
LEFT_OUT = ("first", "second", "third")
INSTEAD = {
    "bvand": ("bvor",), "bvor": ("bvand", "first", "second"), "bvxor": ("bvor",),
    "bvnot": ("first",),
    "bvadd": ("bvsub", "first", "second"), "bvsub": ("bvadd", "first"), "bvmul": ("bvadd",),
    "bvudiv": ("bvurem",), "bvurem": ("bvudiv", "first"),
    "bvshl": ("bvlshr", "first"), "bvlshr": ("bvshl", "bvashr", "first"), "bvashr": ("bvlshr",),
    "=": ("distinct",), "distinct": ("=",),
    "bvult": ("bvule", "bvslt", "bvugt"), "bvule": ("bvult", "bvsle"),
    "bvugt": ("bvuge", "bvsgt"), "bvuge": ("bvugt", "bvsge"),
    "bvslt": ("bvsle", "bvult"), "bvsle": ("bvslt", "bvule"),
    "bvsgt": ("bvsge", "bvugt"), "bvsge": ("bvsgt", "bvuge"),
    "+": ("first", "second"), "*": ("+", "first"), "div": ("mod", "first"), "mod": ("div", "first"),
    "<": ("<=", ">"), "<=": ("<",), ">": (">=",), ">=": (">",),
    "and": ("or", "first", "second"), "or": ("and", "first", "second"), "not": ("first",),
    "ite": ("second", "third"), "zero_extend": ("sign_extend",), "sign_extend": ("zero_extend",),
}


class Script:
    """A file of laws: functions in order, and all forms as they stand."""

    def __init__(self, text):
        self.forms = read(text)
        self.sorts, self.functions = {"Bool": BOOL, "Int": INT}, {}
        in_law = False                  # what a law defines is its own, and stays text
        for form in self.forms:
            in_law = form == ["push"] or in_law and form != ["pop"]
            if form[0] == "define-sort":
                self.sorts[form[1]] = self.width(form[3])
            elif form[0] == "define-fun" and not in_law:
                args = [(name, self.width(sort)) for name, sort in form[2]]
                names = {name: Node("arg", (), width, name) for name, width in args}
                body = self.parse(form[4], names)
                self.functions[form[1]] = Function(form[1], args, self.width(form[3]), body)
                if body.width != self.functions[form[1]].width:
                    raise ValueError(f"{form[1]}: its body is of another sort")

    def width(self, sort):
        return self.sorts[sort] if isinstance(sort, str) else int(sort[2])

    def parse(self, form, names):
        if isinstance(form, str):
            return names[form] if form in names else self.constant(form)
        head = form[0]
        if head == "_":
            return Node("const", (), int(form[2]), int(form[1][2:]))
        if head == "let":
            inner = dict(names)
            inner.update({name: self.parse(value, names) for name, value in form[1]})
            return self.parse(form[2], inner)
        args = [self.parse(f, names) for f in form[1:]]
        if isinstance(head, list):
            return self.indexed(head, args[0])
        while head in CHAINED and len(args) > 2:
            args[:2] = [self.apply(head, args[:2])]
        return self.apply(head, args)

    @staticmethod
    def constant(text):
        if text in ("true", "false"):
            return Node("const", (), BOOL, int(text == "true"))
        if text[:2] == "#x":
            return Node("const", (), 4 * len(text) - 8, int(text[2:], 16))
        if text[:2] == "#b":
            return Node("const", (), len(text) - 2, int(text[2:], 2))
        if text.isdigit():
            return Node("const", (), INT, int(text))
        raise ValueError(f"unknown: {text}")

    @staticmethod
    def indexed(head, a):
        if head[1] == "extract":
            high, low = int(head[2]), int(head[3])
            return Node("extract", [a], high - low + 1, (high, low))
        return Node(head[1], [a], a.width + int(head[2]), int(head[2]))

    def apply(self, op, args):
        width = [a.width for a in args]
        if op in self.functions:
            f = self.functions[op]
            if width != [w for _, w in f.args]:
                raise ValueError(f"{op} is called with other sorts")
            return Node("call", args, f.width, op)
        if op in SAME or op in COMPARE:
            if width[0] != width[1] or len(args) != 2:
                raise ValueError(f"{op}: operands of different sorts")
            return Node(op, args, width[0] if op in SAME else BOOL)
        if op in LOGIC or op in ("not", "bvnot", "bvneg"):
            return Node(op, args, width[0])
        if op == "concat":
            return Node(op, args, sum(width))
        if op == "ite":
            return Node(op, args, width[1])
        raise ValueError(f"unknown operator {op}")


# --- Back to SMT, with one change if need be ------------------------------------------------------

def mutants(function):
    """[(node, change)]: change is a bit to be flipped of a constant, or an entry of INSTEAD. Their
    numbers, from 1, are the same in C. A node that a let has in two places is one."""
    found, seen = [], set()
    for node in walk(function.body):
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.op == "const":
            bits = node.param.bit_length() if node.width == INT else max(node.width, 1)
            found += [(node, bit) for bit in range(bits)]
        else:
            found += [(node, op) for op in INSTEAD.get(node.op, ())]
    return found


def sort_text(width):
    return {BOOL: "Bool", INT: "Int"}.get(width, f"(_ BitVec {width})")


def constant_text(value, width):
    if width == BOOL:
        return "true" if value else "false"
    return str(value) if width == INT else f"(_ bv{value} {width})"


def to_smt(node, mutant=(None, None)):
    where, change = mutant
    if node.op == "const":
        return constant_text(node.param ^ (1 << change if node is where else 0), node.width)
    if node.op == "arg":
        return node.param
    args = [to_smt(a, mutant) for a in node.args]
    op = node.op
    if node is where:
        if change in LEFT_OUT:
            return args[LEFT_OUT.index(change)]
        op = change
    if op == "extract":
        op = f"(_ extract {node.param[0]} {node.param[1]})"
    elif op in ("zero_extend", "sign_extend"):
        op = f"(_ {op} {node.param})"
    elif op == "call":
        op = node.param
    return f"({op} {' '.join(args)})"


def define(function, name=None, mutant=(None, None)):
    args = " ".join(f"({n} {sort_text(w)})" for n, w in function.args)
    result, body = sort_text(function.width), to_smt(function.body, mutant)
    return f"(define-fun {name or function.name} ({args}) {result} {body})"


# --- To C -----------------------------------------------------------------------------------------

NAMES = {"=": "eq", "=>": "implies", "+": "add", "-": "sub", "*": "mul", "div": "udiv",
         "mod": "urem", "<": "ult", "<=": "ule", ">": "ugt", ">=": "uge"}


def c_name(name):
    return name.replace("-", "_")


def c_constant(value):
    high, low = value >> 64, value & (1 << 64) - 1
    return f"((bv)0x{high:x}ull << 64 | 0x{low:x}ull)" if high else f"(bv)0x{low:x}ull"


class Emitter:
    """One function in C: a line for each node. With mutants, the global `mutant` says which change
    is made."""

    def __init__(self, function, with_mutants):
        self.function, self.lines, self.done = function, [], {}
        self.number = {}
        for i, (node, change) in enumerate(mutants(function) if with_mutants else ()):
            self.number.setdefault(id(node), []).append((i + 1, change))

    @staticmethod
    def operator(node, op, args):
        if op in LEFT_OUT:
            return args[LEFT_OUT.index(op)]
        width = node.args[0].width if op in COMPARE else node.width
        if op == "call":
            return f"model_{c_name(node.param)}({', '.join(args)})"
        if op == "extract":
            return f"bv_extract({args[0]}, {node.param[0]}, {node.param[1]})"
        if op == "sign_extend":
            return f"bv_sign_extend({args[0]}, {node.args[0].width}, {node.width})"
        if op == "concat":
            return f"bv_concat({args[0]}, {args[1]}, {node.args[1].width})"
        bits = 128 if width == INT else max(width, 1)
        return f"bv_{NAMES.get(op, op.removeprefix('bv'))}({', '.join(args)}, {bits})"

    def emit(self, node):
        if node.op == "arg":
            return "a_" + c_name(node.param)
        if id(node) in self.done:
            return self.done[id(node)]
        args = [self.emit(a) for a in node.args]
        numbers = self.number.get(id(node), [])
        if node.op == "const":
            text = c_constant(node.param)
            if numbers:
                text += f" ^ flip({numbers[0][0]}, {len(numbers)})"
        else:
            text = self.operator(node, node.op, args)
            for i, change in reversed(numbers):
                text = f"mutant == {i} ? {self.operator(node, change, args)} : {text}"
        name = f"t{len(self.lines)}"
        self.lines.append(f"    const bv {name} = {text};")
        self.done[id(node)] = name
        return name

    def text(self, prefix):
        result = self.emit(self.function.body)
        args = ", ".join(f"bv a_{c_name(n)}" for n, _ in self.function.args)
        head = f"static inline bv {prefix}_{c_name(self.function.name)}({args})"
        return "\n".join([head, "{"] + self.lines + [f"    return {result};", "}", ""])
