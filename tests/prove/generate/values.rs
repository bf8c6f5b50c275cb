//! Expressions by type.

use super::super::shop::Type;
use super::Gen;

impl Gen {
    /// An expression of that type; `depth` levels of calls at most.
    pub(super) fn value(&mut self, of: Type, depth: usize) -> String {
        if depth == 0 || self.dice.chance(30) {
            return self.leaf(of);
        }
        let depth = depth - 1;
        match self.dice.below(14) {
            0 => return self.case(of, depth),
            1 => {
                let [one, two] = [0, 1].map(|_| self.value(of, depth));
                return format!("coalesce({one}, {two})");
            }
            2 => {
                let [one, two] = [0, 1].map(|_| self.value(of, depth));
                return format!("nullif({one}, {two})");
            }
            3 if self.subqueries => return self.scalar_query(of),
            4 if !matches!(of, Type::Bool | Type::Json | Type::Person) => {
                let [one, two] = [0, 1].map(|_| self.value(of, depth));
                return format!("{}({one}, {two})", self.dice.pick(&["greatest", "least"]));
            }
            _ => {}
        }
        match of {
            Type::Text => self.text(depth),
            Type::Int => self.int(depth),
            Type::Num => self.num(depth),
            Type::Date => self.date(depth),
            Type::Time => self.time(depth),
            Type::Bool => format!("({})", self.condition(depth)),
            Type::Json => self.json(depth),
            Type::Texts => self.texts(depth),
            Type::Bytes => format!("convert_to({}, 'UTF8')", self.value(Type::Text, depth)),
            Type::Inet | Type::Person | Type::Status => self.leaf(of),
        }
    }

    /// A column or a constant.
    pub(super) fn leaf(&mut self, of: Type) -> String {
        match self.column(of) {
            Some(column) if self.dice.chance(88) => column,
            _ => self.constant(of),
        }
    }

    fn case(&mut self, of: Type, depth: usize) -> String {
        let [one, two] = [0, 1].map(|_| self.value(of, depth));
        if self.dice.chance(30) {
            let subject = self.leaf(Type::Text);
            let when = self.needle(&subject, Type::Text);
            return format!("CASE {subject} WHEN {when} THEN {one} ELSE {two} END");
        }
        let condition = self.condition(depth);
        match self.dice.below(3) {
            0 => format!("CASE WHEN {condition} THEN {one} END"),
            _ => format!("CASE WHEN {condition} THEN {one} ELSE {two} END"),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let x = self.value(Type::Text, depth);
        let n = self.dice.between(0, 9);
        match self.dice.below(34) {
            0 => format!("upper({x})"),
            1 => format!("lower({x})"),
            2 => format!("left({x}, {n})"),
            3 => format!("right({x}, {n})"),
            4 => format!("substr({x}, {n}, 4)"),
            5 => format!("substring({x} FROM {n} FOR 3)"),
            6 => format!("({x} || '/' || {})", self.value(Type::Text, depth)),
            7 => format!("replace({x}, '*', 'x')"),
            8 => format!("split_part({x}, '@', {})", 1 + n % 2),
            9 => format!("reverse({x})"),
            10 => format!("lpad({x}, {n}, '.')"),
            11 => format!("trim(both '*' from {x})"),
            12 => format!("initcap({x})"),
            13 => format!("translate({x}, '*@', '#%')"),
            14 => format!("concat_ws('-', {x}, {})", self.value(Type::Int, depth)),
            15 => format!("format('%s:%s', {x}, {})", self.value(Type::Num, depth)),
            16 => format!("to_char({}, 'YYYY-MM-DD')", self.value(Type::Date, depth)),
            17 => format!("regexp_replace({x}, '[aeiou*]', '_', 'g')"),
            18 => format!("(regexp_match({x}, '^(.)'))[1]"),
            19 => format!("({} ->> 'city')", self.value(Type::Json, depth)),
            20 => format!("({} #>> '{{geo,lat}}')", self.value(Type::Json, depth)),
            21 => format!("({})[{}]", self.value(Type::Texts, depth), 1 + n % 2),
            22 => format!("array_to_string({}, ',', '-')", self.value(Type::Texts, depth)),
            23 => format!("({})::text", self.any(depth)),
            24 => format!("host({})", self.value(Type::Inet, depth)),
            25 => format!("encode({}, 'escape')", self.value(Type::Bytes, depth)),
            26 => {
                let field = self.dice.pick(&["full_name", "email", "ssn"]);
                format!("({}).{field}", self.value(Type::Person, depth))
            }
            27 => self.whole_row_text(),
            28 => format!("quote_nullable({x})"),
            29 => format!("({x})::varchar({})", 1 + n),
            30 => format!("overlay({x} placing '--' from {})", 1 + n),
            31 => format!("left(md5({x}), 4)"),
            32 => format!("({x} COLLATE \"C\")"),
            _ => format!("(string_to_array({x}, '*'))[{}]", 1 + n),
        }
    }

    /// Of any type but one whose text depends on the session.
    fn any(&mut self, depth: usize) -> String {
        let of =
            *self.dice.of(&[Type::Int, Type::Num, Type::Date, Type::Json, Type::Texts, Type::Bool]);
        self.value(of, depth)
    }

    /// A whole row, made text or taken apart again.
    fn whole_row_text(&mut self) -> String {
        let source = self.source();
        let (alias, column) = (&source.alias, self.dice.of(&source.columns));
        let plain = column.name.trim_matches('"');
        match self.dice.below(5) {
            0 => format!("{alias}::text"),
            1 => format!("(to_jsonb({alias}) ->> '{plain}')"),
            2 => format!("(row_to_json({alias}) ->> '{plain}')"),
            3 => format!("({alias}).{}::text", column.name),
            _ => format!("format('%s', {alias})"),
        }
    }

    fn int(&mut self, depth: usize) -> String {
        let x = self.value(Type::Text, depth);
        match self.dice.below(15) {
            0 => format!("length({x})"),
            1 => format!("ascii({x})"),
            2 => format!("position('@' in {x})"),
            3 => format!("strpos({x}, '*')"),
            4 => format!("octet_length({x})"),
            5 => format!("cardinality({})", self.value(Type::Texts, depth)),
            6 => format!("extract(year from {})::int", self.value(Type::Date, depth)),
            7 => format!("extract(doy from {})::int", self.value(Type::Date, depth)),
            8 => format!("({} + {})", self.leaf(Type::Int), self.dice.below(9)),
            9 => format!("({} % {})", self.leaf(Type::Int), 2 + self.dice.below(9)),
            10 => format!("array_length({}, 1)", self.value(Type::Texts, depth)),
            11 => format!("({} - date '1960-01-01')", self.value(Type::Date, 0)),
            12 => format!("octet_length({})", self.value(Type::Bytes, depth)),
            13 => format!("({})::int", self.value(Type::Bool, depth)),
            _ => format!("num_nulls({x}, {})", self.any(depth)),
        }
    }

    fn num(&mut self, depth: usize) -> String {
        let x = self.value(Type::Num, depth);
        match self.dice.below(6) {
            0 => format!("({x} + {})", self.value(Type::Num, 0)),
            1 => format!("round({x}, 1)"),
            2 => format!("({x} * 1.5)"),
            3 => format!("({})::numeric", self.value(Type::Int, depth)),
            4 => format!("abs({x})"),
            _ => format!("({} ->> 'lat')::numeric", "'{\"lat\": 5.25}'::jsonb"),
        }
    }

    fn date(&mut self, depth: usize) -> String {
        let x = self.value(Type::Date, depth);
        match self.dice.below(5) {
            0 => format!("({x} + {})", self.dice.below(400)),
            1 => format!("date_trunc('month', {x})::date"),
            2 => format!("({x} - interval '1 month')::date"),
            3 => format!("({})::date", self.value(Type::Time, depth)),
            _ => format!("make_date(extract(year from {x})::int, 2, 3)"),
        }
    }

    fn time(&mut self, depth: usize) -> String {
        match self.dice.below(3) {
            0 => format!("({})::timestamptz", self.value(Type::Date, depth)),
            1 => format!("date_trunc('day', {})", self.value(Type::Time, depth)),
            _ => format!("({} + interval '90 min')", self.value(Type::Time, depth)),
        }
    }

    fn json(&mut self, depth: usize) -> String {
        match self.dice.below(9) {
            0 => format!("({} -> 'geo')", self.value(Type::Json, depth)),
            1 => format!("to_jsonb({})", self.value(Type::Text, depth)),
            2 => format!("to_jsonb({})", self.source().alias),
            3 => format!("jsonb_build_object('k', {})", self.value(Type::Text, depth)),
            4 => format!("jsonb_build_array({}, {})", self.leaf(Type::Text), self.leaf(Type::Int)),
            5 => format!("jsonb_strip_nulls({})", self.value(Type::Json, depth)),
            6 => format!(
                "jsonb_path_query_first({}, 'strict $.geo', silent => true)",
                self.leaf(Type::Json)
            ),
            7 => format!("({} #- '{{geo}}')", "'{\"geo\": {}}'::jsonb"),
            _ => format!("row_to_json({})::jsonb", self.source().alias),
        }
    }

    fn texts(&mut self, depth: usize) -> String {
        let x = self.value(Type::Text, depth);
        match self.dice.below(7) {
            0 => format!("ARRAY[{x}, {}]", self.leaf(Type::Text)),
            1 => format!("string_to_array({x}, '@')"),
            2 => format!("array_append({}, {x})", self.value(Type::Texts, depth)),
            3 => format!("regexp_split_to_array({x}, '[*]+')"),
            4 => format!("({})[1:1]", self.value(Type::Texts, depth)),
            5 => format!("array_remove({}, '***')", self.value(Type::Texts, depth)),
            _ => format!("array_cat({}, ARRAY[{x}])", self.leaf(Type::Texts)),
        }
    }

    /// A literal or parameter that says its type.
    pub(super) fn constant(&mut self, of: Type) -> String {
        let (name, values): (&str, &[&str]) = match of {
            Type::Text => {
                ("text", &["***", "a", "z***@mail.test", "mail.test", "", "O'Hara", "жук"])
            }
            Type::Int => ("int", &["0", "1", "2", "5", "7", "12", "40", "60"]),
            Type::Num => ("numeric", &["0", "10.25", "50.5", "500000", "-1"]),
            Type::Date => ("date", &["1960-01-01", "1971-01-01", "1985-06-05", "2024-05-03"]),
            Type::Time => ("timestamptz", &["2024-02-03 00:00:00+00", "2024-06-01 00:00:00+00"]),
            Type::Bool => ("boolean", &["t", "f"]),
            Type::Json => ("jsonb", &["{}", "{\"geo\": {\"lat\": 5}}", "[1, \"a\"]", "null"]),
            Type::Texts => ("text[]", &["{a,b}", "{***}", "{}"]),
            Type::Inet => ("inet", &["10.0.0.1", "192.0.2.0/24"]),
            Type::Bytes => ("bytea", &["\\x2a2a2a", "ab"]),
            Type::Person => ("person_t", &["(a,b,c)", "(***,,)"]),
            Type::Status => ("order_status", &["paid", "new"]),
        };
        if self.dice.chance(4) {
            return format!("NULL::{name}");
        }
        let value = *self.dice.of(values);
        let constant = self.literal(value);
        format!("{constant}::{name}")
    }

    /// The value as literal or as parameter.
    pub(super) fn literal(&mut self, value: &str) -> String {
        let percent = self.params_percent;
        if self.params.len() < 9 && self.dice.chance(percent) {
            self.params.push(value.to_owned());
            return format!("${}", self.params.len());
        }
        format!("'{}'", value.replace('\'', "''"))
    }
}
