"""Random templates with the data they are rendered with: a grammar of Jinja2 that is walked by dice.

Expressions are made with a type in mind, so that most templates get far; now and then the wrong type, an undefined name
or a missing key is put in, because failing alike matters as much.
"""
import random

WORDS = ["", "a", "b", "Hello World", "x<y & \"z\"", "it's", "ünï cödé", "ß", "Ǆ", "one two  three", "line\nbreak\n",
         "  padded ", "12", "-7", "3.5", "0x1f", "True", "CamelCase", "snake_case", "a,b,,c", "%s", "{0}", "tab\there",
         "1_000", "日本語 text", "e\u0301", "\U0001f600", "http://example.com/a?b=c", "me@example.org", "<b>bold</b>",
         "\u2028", "ÀÉ", "ﬁ", "١٢", "a\\b"]
ATTRIBUTES = ["id", "name", "price", "ok", "tags", "x", "none"]
KEYS = ATTRIBUTES + ["items"]

FILTERS_OF_TEXT = [
    "upper", "lower", "title", "capitalize", "trim", "trim('a ')", "reverse", "replace('a', 'b')", "replace('', '-', 3)",
    "center(20)", "indent", "indent(2, true)", "indent('> ', first=true, blank=true)", "truncate(8)",
    "truncate(8, true)", "truncate(5, false, '…', 0)", "wordwrap(7)", "wordwrap(4, false)", "wordwrap(5, wrapstring='|')",
    "striptags", "escape", "e", "forceescape", "safe", "string", "urlencode", "urlize", "urlize(10, nofollow=true)",
    "format('a', 'b')", "default('dd')", "d('dd', true)", "replace(' ', '_')|upper", "urlize(target='_blank')",
    "replace('l', 'L', count=1)", "center(width=9)", "truncate(length=12, end='')"]
FILTERS_OF_LIST = [
    "reverse|list", "sort", "sort(reverse=true)", "unique|list", "list", "batch(2)|list", "batch(3, 'fill')|list",
    "slice(2)|list", "slice(3, 'fill')|list", "map('string')|list", "select|list", "reject|list", "map('upper')|list",
    "select('string')|list", "reject('none')|list", "select('odd')|list", "map('default', 'z')|list",
    "sort(case_sensitive=true)", "unique(case_sensitive=true)|list", "select('gt', 1)|list", "reject('in', [1, 'a'])|list",
    "map('int')|list", "map('abs')|list", "map('length')|list", "map('first')|list", "map('center', 5)|list",
    "select('eq', 'a')|list", "select('divisibleby', 2)|list", "select('test')|list"]
FILTERS_OF_DICT = ["list", "dictsort", "items|list", "dictsort(true)", "dictsort(by='value')", "dictsort(reverse=true)"]
LOOP = ["index", "index0", "first", "last", "length", "revindex", "revindex0", "depth", "previtem", "nextitem",
        "cycle(1, 2)", "changed(n)", "cycle()", "nope"]
FILTERS_OF_ROWS = [
    "map(attribute='id')|list", "map(attribute='name')|list", "map(attribute='price', default=0)|list",
    "selectattr('ok')|list", "rejectattr('ok')|list", "selectattr('id', 'gt', 1)|list", "selectattr('price', 'none')|list",
    "rejectattr('name', 'equalto', 'a')|list", "sort(attribute='id')", "sort(attribute='name,id', reverse=true)",
    "unique(attribute='ok')|list", "groupby('ok')|list", "groupby('id')|map('first')|list",
    "groupby('kind', default='none')|map(attribute='list')|map('length')|list", "map(attribute='tags.0')|list",
    "sort(attribute='name', case_sensitive=true)|map(attribute='id')|list", "selectattr('tags.0', 'defined')|list",
    "map('dictsort')|list", "max(attribute='id')|list", "selectattr('name', 'string')|map(attribute='name')|list"]
TO_TEXT = ["join", "join(', ')", "string", "tojson", "pprint", "urlencode", "join('-')|upper", "first|string",
           "tojson(indent=2)", "e", "escape|string", "list|join('|')", "xmlattr", "title", "replace('a', 'b')"]
TO_NUMBER = ["length", "count", "sum", "int", "float", "int(7)", "int(default=3, base=16)", "float(1.5)", "abs", "first",
             "last", "min", "max", "wordcount", "round", "round(1)", "round(1, 'floor')", "round(0, 'ceil')", "sum(start=5)",
             "round(-1)|int", "length - 1", "filesizeformat", "sum(attribute='id')", "string|length"]
TESTS = ["defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping",
         "iterable", "sequence", "callable", "sameas none", "sameas true", "escaped", "lower", "upper", "odd", "even",
         "divisibleby 3", "divisibleby(2)", "in [1, 2, 'a']", "in 'abc'", "eq 1", "== 'a'", "ne 2", "gt 1", "lt(3)",
         "ge 1.5", "le 2", "equalto 3", "filter", "test"]
METHODS_OF_TEXT = [
    "upper()", "lower()", "title()", "strip()", "lstrip('a ')", "rstrip()", "split()", "split(',')", "split(' ', 1)",
    "rsplit(None, 1)", "splitlines()", "splitlines(true)", "startswith('a')", "endswith(('a', 'd'))", "find('o')",
    "rfind('o')", "count('o')", "replace('o', '0', 1)", "isdigit()", "isalpha()", "isupper()", "islower()", "isspace()",
    "istitle()", "isalnum()", "isnumeric()", "isdecimal()", "isidentifier()", "isprintable()", "isascii()", "swapcase()",
    "casefold()", "capitalize()", "zfill(6)", "center(11, '*')", "ljust(8, '.')", "rjust(8)", "partition(' ')",
    "rpartition('o')", "removeprefix('a')", "removesuffix('d')", "join(['a', 'b'])", "index('o')", "rindex('l')",
    "expandtabs(4)", "format(1, a='x')", "startswith('b', 1)", "find('l', 2, 9)", "count('a', 1)", "join(words)",
    "split('')", "startswith(1)", "join([1])", "center()", "__class__"]
METHODS_OF_DICT = ["keys()|list", "values()|list", "items()|list", "get('id')", "get('zz')", "get('zz', 'dflt')",
                   "copy()", "items()|length", "values()", "get()", "pop('id')", "pop('zz', 1)",
                   "setdefault('new', 2)", "update({'a': 1})", "popitem()", "clear()", "keys() | first", "get('a', 1, 2)"]
METHODS_OF_LIST = ["index(1)", "count(1)", "copy()", "append(9)", "pop()", "pop(0)", "insert(0, 'i')", "extend([7, 8])",
                   "reverse()", "sort()", "remove(1)", "clear()", "sort(reverse=true)", "pop(99)", "index('zz')"]
FORMATS = ["%s|%r", "%d", "%5.1f", "%-5s|", "%05d", "%x", "%c", "%%", "%+d", "%e", "%(id)s", "%.3s", "%*d", "%g", "%i"]
BRACES = ["{}", "{0}{0}", "{:>8}", "{:*^9}", "{:.2f}", "{:05d}", "{!r}", "{:,}", "{:x}", "{0[0]}", "{:%}", "{:e}", "{{}}",
          "{a}", "{:+}", "{:#b}", "{:<6}|", "{0.real}", "{!s:>4}", "{:_}", "{:n}", "{:c}", "{:g}", "{:10.3}", "{"]


class Grammar:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.names = {}      # type -> names that a template may read
        self.depth = 0
        self.loops = 0
        self.macros = []
        self.blocks = 0
        self.fresh = 0
        self.in_macro = False
        self.captured = 0    # how many things around collect the text

    # --- data
    def scalar(self):
        return self.dice.choice([lambda: self.dice.randint(-3, 12), lambda: self.dice.choice(WORDS),
                                 lambda: self.dice.choice([0.5, 2.0, -1.25, 1e16, 0.1, 3.0]), lambda: True,
                                 lambda: False, lambda: None])()

    def row(self):
        row = {"id": self.dice.randint(0, 5), "name": self.dice.choice(WORDS), "ok": self.dice.random() < 0.5,
               "price": self.dice.choice([1, 2.5, None, 0]), "tags": self.dice.sample(WORDS, self.dice.randint(0, 3))}
        if self.dice.random() < 0.3:
            row["kind"] = self.dice.choice(["p", "q"])
        if self.dice.random() < 0.03:
            del row[self.dice.choice(list(row))]
        return row

    def data(self):
        dice = self.dice
        self.names = {"int": ["n", "m"], "float": ["f"], "text": ["s", "t"], "list": ["words", "nums", "mixed"],
                      "dict": ["d", "row"], "rows": ["rows"], "bool": ["yes", "no"], "none": ["nothing"]}
        return {"n": dice.randint(-5, 20), "m": dice.choice([0, 1, 7, 1000000, 2**53, -2**31]),
                "f": dice.choice([0.0, 1.5, -2.25, 1e20, 1e-7, 123456.789]), "s": dice.choice(WORDS),
                "t": dice.choice(WORDS), "words": dice.sample(WORDS, dice.randint(0, 5)),
                "nums": [dice.randint(-9, 9) for _ in range(dice.randint(0, 6))],
                "mixed": [self.scalar() for _ in range(dice.randint(0, 4))], "d": {k: self.scalar() for k in
                dice.sample(KEYS, dice.randint(0, 4))}, "row": self.row(),
                "rows": [self.row() for _ in range(dice.randint(0, 4))], "yes": True, "no": False, "nothing": None,
                "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]},
                         {"v": 5, "kids": []}]}

    # --- expressions
    def pick(self, *makers):
        return self.dice.choice(makers)()

    def name(self, kind):
        return self.dice.choice(self.names.get(kind) or ["undefined_name"])

    def expr(self, kind=None):
        """An expression that is probably of this type."""
        dice = self.dice
        kind = kind or dice.choice(["int", "float", "text", "list", "dict", "bool", "rows", "text", "int"])
        if dice.random() < 0.015:
            return self.pick(lambda: "missing", lambda: "row.nope", lambda: "none", lambda: self.expr(), lambda: "words[99]",
                             lambda: "missing.x", lambda: "d.nope.deeper", lambda: "nothing.x")
        self.depth += 1
        try:
            text = getattr(self, "leaf_" + kind)() if self.depth > 4 or dice.random() < 0.25 else getattr(self, kind)()
        finally:
            self.depth -= 1
        return f"({text})" if dice.random() < 0.1 else text

    def operand(self, kind):
        """One that binds tightly enough to have something put behind it."""
        text = self.expr(kind)
        return text if text.replace("_", "").replace(".", "").isalnum() and not text[0].isdigit() else f"({text})"

    def quoted(self, text):
        dice = self.dice
        quote = dice.choice("'\"")
        body = text.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, "\\" + quote).replace("\t", "\\t")
        if dice.random() < 0.05:
            body = "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in text)
        return quote + body + quote

    def leaf_int(self):
        return self.pick(lambda: self.name("int"), lambda: str(self.dice.randint(0, 9)), lambda: "row.id",
                         lambda: self.dice.choice(["1_0", "0x1F", "0b101", "0o17", "100", "2147483648"]))

    def leaf_float(self):
        return self.pick(lambda: self.name("float"), lambda: self.dice.choice(["1.5", "2.0", "0.1", "1e3", "2.5e-3", "1E2"]))

    def leaf_text(self):
        return self.pick(lambda: self.name("text"), lambda: self.quoted(self.dice.choice(WORDS)), lambda: "row.name",
                         lambda: "'a' 'b'")

    def leaf_list(self):
        return self.pick(lambda: self.name("list"), lambda: "[]", lambda: "[1, 'a', 2.5]", lambda: "row['tags']",
                         lambda: "(1, 2, 3)", lambda: "range(4)", lambda: "range(9, 0, -2)")

    def leaf_dict(self):
        return self.pick(lambda: self.name("dict"), lambda: "{}", lambda: "{'a': 1, 'b': n}", lambda: "dict(x=1, y=s)")

    def leaf_rows(self):
        return self.name("rows")

    def leaf_bool(self):
        return self.pick(lambda: self.name("bool"), lambda: "true", lambda: "False", lambda: "nothing")

    def int(self):
        dice = self.dice
        return self.pick(
            lambda: f"{self.expr('int')} {dice.choice(['+', '-', '*', '//', '%'])} {self.expr('int')}",
            lambda: f"-{self.operand('int')}", lambda: f"+{self.operand('int')}",
            lambda: f"{self.operand('int')} ** {dice.randint(0, 3)}",
            lambda: f"{self.operand(dice.choice(['list', 'text', 'rows', 'dict', 'int', 'float']))}|{dice.choice(TO_NUMBER)}",
            lambda: f"{self.operand('list')}[{dice.randint(-2, 3)}]",
            lambda: f"{self.expr('int')} if {self.expr('bool')} else {self.expr('int')}",
            lambda: f"{self.operand('list')}.{dice.choice(METHODS_OF_LIST)}",
            lambda: f"{self.operand('dict')}.{dice.choice(METHODS_OF_DICT)}",
            lambda: f"row.{dice.choice(ATTRIBUTES)}", lambda: f"{self.operand('dict')}.{dice.choice(ATTRIBUTES)}",
            lambda: f"{self.operand('dict')}['{dice.choice(KEYS)}']",
            lambda: f"{self.operand('int')}.{dice.choice(['bit_length()', 'real', 'imag', 'is_integer()', 'numerator'])}")

    def float(self):
        return self.pick(
            lambda: f"{self.expr('float')} {self.dice.choice(['+', '-', '*', '/', '//', '%'])} {self.expr('int')}",
            lambda: f"{self.expr('int')} / {self.expr('int')}", lambda: f"{self.operand('float')}|round({self.dice.randint(-1, 3)})",
            lambda: f"{self.operand('float')}|abs", lambda: f"{self.operand('text')}|float", lambda: f"-{self.operand('float')}",
            lambda: f"{self.operand('float')}.{self.dice.choice(['is_integer()', 'real', 'hex()', 'as_integer_ratio()'])}")

    def text(self):
        dice = self.dice
        return self.pick(
            lambda: f"{self.operand('text')}|{dice.choice(FILTERS_OF_TEXT)}",
            lambda: f"{self.operand('text')}|{dice.choice(FILTERS_OF_TEXT)}|{dice.choice(FILTERS_OF_TEXT)}",
            lambda: f"{self.operand('text')}.{dice.choice(METHODS_OF_TEXT)}",
            lambda: f"{self.expr('text')} ~ {self.expr()}", lambda: f"{self.expr('text')} + {self.expr('text')}",
            lambda: f"({self.leaf_text()})[{self.slice()}]", lambda: f"{self.operand('text')} * {dice.randint(-1, 4)}",
            lambda: f"{self.operand('list')}|{dice.choice(TO_TEXT)}", lambda: f"{self.operand('dict')}|{dice.choice(TO_TEXT)}",
            lambda: f"{self.operand('int')}|{dice.choice(['string', 'tojson', 'filesizeformat', 'filesizeformat(true)', 'e'])}",
            lambda: f"{self.quoted(dice.choice(FORMATS))} % {self.format_arguments()}",
            lambda: f"{self.quoted(dice.choice(FORMATS))}|format({self.expr()}, {self.expr()})",
            lambda: f"{self.quoted(dice.choice(BRACES))}.format({self.expr()}, a={self.expr()})",
            lambda: f"{self.expr('text')} if {self.expr('bool')}",
            lambda: f"{self.operand('text')} or {self.operand('text')}",
            lambda: f"{dice.choice(self.macros)}({self.expr()})" if self.macros else self.leaf_text(),
            lambda: f"loop.{dice.choice(LOOP)}" if self.loops else self.leaf_text())

    def format_arguments(self):
        return self.pick(lambda: self.operand("int"), lambda: f"({self.expr()}, {self.expr()})", lambda: self.operand("text"),
                         lambda: self.operand("float"), lambda: "row")

    def slice(self):
        bound = lambda: self.dice.choice(["", str(self.dice.randint(-4, 5)), "n"])  # noqa: E731
        return bound() + ":" + bound() + self.dice.choice(["", "", ":2", ":-1", ":" + bound()])

    def list(self):
        dice = self.dice
        return self.pick(
            lambda: f"[{', '.join(self.expr() for _ in range(dice.randint(0, 3)))}]",
            lambda: f"({self.expr()}, {self.expr()})", lambda: f"({self.expr()},)",
            lambda: f"{self.operand('list')}|{dice.choice(FILTERS_OF_LIST)}",
            lambda: f"{self.operand('rows')}|{dice.choice(FILTERS_OF_ROWS)}",
            lambda: f"({self.leaf_list()})[{self.slice()}]", lambda: f"{self.operand('list')} + {self.operand('list')}",
            lambda: f"{self.operand('list')} * 2", lambda: f"{self.operand('text')}|list",
            lambda: f"{self.operand('dict')}|{dice.choice(FILTERS_OF_DICT)}",
            lambda: f"{self.operand('text')}.split()", lambda: f"range({self.expr('int')} % 7)|list")

    def rows(self):
        return self.pick(lambda: f"rows[{self.slice()}]", lambda: "rows|list", lambda: "rows + [row]", lambda: "[row]",
                         lambda: "rows|selectattr('ok')|list", lambda: "tree")

    def dict(self):
        return self.pick(lambda: "{" + ", ".join(f"{self.key()}: {self.expr()}" for _ in range(self.dice.randint(0, 3))) + "}",
                         lambda: f"dict(a={self.expr()})", lambda: f"dict({self.operand('dict')}, b={self.expr()})",
                         lambda: f"rows[{self.dice.randint(0, 2)}]", lambda: "rows|first", lambda: "rows|last")

    def key(self):
        return self.pick(lambda: f"'{self.dice.choice(KEYS)}'", lambda: str(self.dice.randint(0, 3)), lambda: "none",
                         lambda: "1.0", lambda: "(1, 2)", lambda: self.leaf_text())

    def bool(self):
        dice = self.dice
        return self.pick(
            lambda: f"{self.expr('int')} {dice.choice(['==', '!=', '<', '<=', '>', '>='])} {self.expr(dice.choice(['int', 'float']))}",
            lambda: f"{self.expr('int')} < {self.expr('int')} <= {self.expr('int')}",
            lambda: f"{self.expr()} == {self.expr()}", lambda: f"not {self.expr('bool')}",
            lambda: f"{self.expr()} and {self.expr()}", lambda: f"{self.expr()} or {self.expr()}",
            lambda: f"{self.operand(None)} is {dice.choice(['', 'not '])}{dice.choice(TESTS)}",
            lambda: f"{self.operand('text')} {dice.choice(['in', 'not in'])} {self.operand(dice.choice(['text', 'list', 'dict']))}",
            lambda: f"{dice.choice(['missing', 'row.nope', 'row.id', 'd.x', 'n'])} is {dice.choice(['defined', 'undefined', 'not defined'])}",
            lambda: f"{self.expr('text')} < {self.expr('text')}", lambda: f"{self.operand('list')} < {self.operand('list')}")

    # --- statements
    def tag(self, text):
        dice = self.dice
        begin = dice.choice(["{%", "{%", "{%", "{%-", "{%+"])
        end = dice.choice(["%}", "%}", "%}", "-%}", "+%}"])
        return f"{begin} {text} {end}"

    def literal(self):
        return self.dice.choice(["", " ", "\n", "text", "  \n  ", "<i>", "a\n\n", "\t", "} { .", "{ %", "x ", "\n  y", "#", "'"])

    def new_name(self, kind):
        self.fresh += 1
        name = f"v{self.fresh}"
        self.names.setdefault(kind, []).append(name)
        return name

    def scope(self, make):
        """What is made inside sees names that are gone afterwards."""
        kept = {kind: list(names) for kind, names in self.names.items()}
        made = make()
        if self.dice.random() < 0.8:  # else: names that have gone out of scope are used
            self.names = kept
        return made

    def collected(self, size):
        """A body whose text something collects."""
        self.captured += 1
        made = self.body(size)
        self.captured -= 1
        return made

    def body(self, size=3):
        self.depth += 1
        parts = "".join(self.literal() + self.statement() for _ in range(self.dice.randint(1, size))) + self.literal()
        self.depth -= 1
        return parts

    def statement(self):
        if self.depth > 4 or self.dice.random() < 0.4:
            return self.output()
        return self.pick(self.output, self.for_, self.if_, self.set_, self.set_block, self.with_, self.filter_, self.macro,
                         self.call, self.namespace, self.raw, self.comment, self.autoescape, self.block, self.do,
                         self.include, self.import_, self.recursive, self.jump)

    def output(self):
        dice = self.dice
        begin = dice.choice(["{{", "{{", "{{", "{{-"])
        expr = f"{self.operand('dict')}.{dice.choice(['keys()', 'items()'])}" if dice.random() < 0.01 else self.expr()
        return f"{begin} {expr} {dice.choice(['}}', '}}', '}}', '-}}'])}"

    def for_(self):
        dice = self.dice
        shape = dice.choice(["list", "rows", "pairs", "text", "dict"])

        def make():
            self.loops += 1
            if shape == "pairs":
                key, value = self.new_name("text"), self.new_name("int")
                head = f"for {key}, {value} in {self.operand('dict')}.items()"
            else:
                source = self.expr(shape)
                item = self.new_name({"list": "int", "rows": "dict", "text": "text", "dict": "text"}[shape])
                head = f"for {item} in {source}"
            if dice.random() < 0.2:
                head += f" if {self.operand('bool')}"
            body = self.body()
            self.loops -= 1
            return self.tag(head) + body

        text = self.scope(make)
        if dice.random() < 0.25:
            text += self.tag("else") + self.body(1)
        return text + self.tag("endfor")

    def recursive(self):
        return (self.tag("for node in tree recursive") + "{{ node.v }}" + self.literal() +
                self.dice.choice(["{{ loop(node.kids) }}", "{% if node.kids %}[{{ loop(node.kids) }}]{% endif %}",
                                  "{{ loop.depth }}{{ loop(node.kids)|upper }}"]) + self.literal() + self.tag("endfor"))

    def jump(self):
        return self.tag(self.dice.choice(["break", "continue"])) if self.loops and not self.in_macro else self.output()

    def if_(self):
        text = self.tag(f"if {self.expr('bool')}") + self.body(2)
        if self.dice.random() < 0.3:
            text += self.tag(f"elif {self.expr('bool')}") + self.body(1)
        if self.dice.random() < 0.4:
            text += self.tag("else") + self.body(1)
        return text + self.tag("endif")

    def set_(self):
        kind = self.dice.choice(["int", "text", "list", "dict", "bool"])
        if self.dice.random() < 0.15:
            value = f"{self.expr('int')}, {self.expr('text')}"
            return self.tag(f"set {self.new_name('int')}, {self.new_name('text')} = {value}")
        value = self.expr(kind)
        name = self.name(kind) if self.dice.random() < 0.3 else self.new_name(kind)
        return self.tag(f"set {name} = {value}")

    def set_block(self):
        body = self.collected(2)
        filters = self.dice.choice(["", "", " | upper", " | trim | title", " | replace('a', 'b')"])
        return self.tag(f"set {self.new_name('text')}{filters}") + body + self.tag("endset")

    def with_(self):
        def make():
            values = [self.expr("int"), self.expr("text")]
            names = [self.new_name("int"), self.new_name("text")]
            return self.tag("with " + ", ".join(f"{n} = {v}" for n, v in zip(names, values))) + self.body(2)
        return self.scope(make) + self.tag("endwith")

    def filter_(self):
        return (self.tag("filter " + self.dice.choice(["upper", "replace('a', 'b')", "trim", "indent(2)", "title|trim", "e", "trim",
                                                       "center(20)", "wordcount"])) + self.collected(2) + self.tag("endfilter"))

    def macro(self):
        name = f"macro{len(self.macros)}"

        def make():
            kept, self.loops, self.in_macro = (self.loops, self.in_macro), 0, True
            first, second = self.new_name("text"), self.new_name("int")
            body = self.collected(2) + self.dice.choice(["", "{{ caller() if caller else '' }}", "{{ varargs }}{{ kwargs }}",
                                                    "{{ caller(1) if caller is defined else 'none' }}"])
            self.loops, self.in_macro = kept
            return self.tag(f"macro {name}({first}, {second}={self.leaf_int()})") + body + self.tag("endmacro")
        text = self.scope(make)
        self.macros.append(name)
        return text

    def call(self):
        if not self.macros:
            return self.macro()
        head = self.dice.choice(["call", "call(c)", "call(c='z')"])
        arguments = self.dice.choice(["", self.expr(), f"{self.expr()}, {self.expr('int')}", f"*{self.operand('list')}",
                                      f"**{self.operand('dict')}", f"{self.expr()}, 1, 2", f"{self.expr()}, extra=1"])
        return self.tag(f"{head} {self.dice.choice(self.macros)}({arguments})") + self.collected(1) + self.tag("endcall")

    def namespace(self):
        name = f"ns{self.dice.randint(0, 2)}"
        return (self.tag(f"set {name} = namespace(x={self.expr('int')}, y={self.expr('text')})") +
                self.tag(f"for i in {self.expr('list')}") + self.tag(f"set {name}.x = {self.expr('int')}") +
                self.tag("endfor") + f"{{{{ {name}.x }}}}{{{{ {name}.y }}}}")

    def raw(self):
        return self.tag("raw").replace("+%}", "%}") + self.literal() + "{{ x }}{% y %}{# z" + self.literal() + self.tag("endraw")

    def comment(self):
        return self.dice.choice(["{#", "{#-"]) + " {{ c }} " + self.dice.choice(["#}", "-#}"])

    def autoescape(self):
        return self.tag(f"autoescape {self.dice.choice(['true', 'false'])}") + self.body(2) + self.tag("endautoescape")

    def block(self):
        if self.in_macro:
            return self.output()
        self.blocks += 1
        kept, self.loops = self.loops, 0
        extra = self.dice.choice(["", "", " scoped"])
        name = f"block{self.blocks}"
        body = self.body(2)
        self.loops = kept
        return self.tag(f"block {name}{extra}") + body + self.tag(f"endblock {self.dice.choice(['', name])}")

    def do(self):
        return self.tag(f"do {self.operand('list')}.{self.dice.choice(METHODS_OF_LIST)}")

    def include(self):
        without = "" if self.captured else " without context"  # Jinja2 loses its text inside a macro or a block set
        return self.tag(self.dice.choice([
            "include 'part'", "include 'part'" + without, "include 'nowhere' ignore missing",
            "include ['nowhere', 'part']", "include s ~ 'part'[4:] ~ 'part' ignore missing", "include ['nowhere'] ignore missing with context",
            "include s ignore missing", "include 'part'",
            "include dict(a='part').a", "include 'nowhere'"]))

    def import_(self):
        return self.pick(
            lambda: self.tag("import 'lib' as lib") + "{{ lib.hello(" + self.expr() + ") }}{{ lib.constant }}",
            lambda: self.tag("from 'lib' import hello, constant as c, nothing_there") + "{{ hello(1) }}{{ c }}" +
            self.dice.choice(["", "", "", "{{ nothing_there }}"]),
            lambda: self.tag("import 'lib' as lib with context") + "{{ lib.seen() }}{{ lib._hidden }}",
            lambda: self.tag("from 'lib' import seen with context") + "{{ seen() }}")

    def template(self):
        """One case of the line protocol, without its id."""
        dice = self.dice
        data = self.data()
        templates = {}
        source = self.body(4)
        if "'part'" in source:
            templates["part"] = dice.choice(["[{{ n }}{{ v1 }}{{ loop.index }}]", "{% set q = 1 %}{{ s }}{{ rows|length }}",
                                             "{% for a in words %}{{ a }}{{ loop.last }}{% endfor %}"])
        if "'lib'" in source:
            templates["lib"] = ("text{% macro hello(a, b='B') %}<{{ a }}{{ b }}{{ n|d('no') }}>{% endmacro %}{% set constant = 'C' %}"
                                "{% macro seen() %}{{ s }}{{ v1 }}{% endmacro %}{% set _hidden = 1 %}")
        if dice.random() < 0.1:
            templates["base"] = ("<{% block block1 %}one{{ n }}{% endblock %}|{% block block2 %}two{% endblock %}"
                                 "{% block own %}{{ self.block1() }}{% endblock %}>")
            source = (self.literal() if dice.random() < 0.3 else "") + "{% extends 'base' %}" + source.replace(
                "{% endblock", "{{ super() }}{% endblock", 1 if dice.random() < 0.3 else 0)
        if dice.random() < 0.02:  # damage
            at = dice.randint(0, len(source))
            source = source[:at] + dice.choice(["%}", "{{", "{% endif %}", "(", "|", "'", "{#", " is ", "}}"]) + source[at + 1:]
        return {"kind": "template", "template": source, "context": data, "templates": templates,
                "undefined": dice.choice(["default"] * 5 + ["strict"]), "extensions": ["do", "loopcontrols"],
                "options": {"trim_blocks": dice.random() < 0.3, "lstrip_blocks": dice.random() < 0.3,
                            "keep_trailing_newline": dice.random() < 0.3, "autoescape": dice.random() < 0.2}}
