use proptest::prelude::*;

use super::*;
use crate::Operator;

/// The expression with all parentheses.
fn read(text: &str) -> String {
    let expression = parse(text).map_err(|error| error.in_text(text)).unwrap();
    let written = expression.to_string();
    assert_eq!(parse(&written).unwrap().to_string(), written, "{text}");
    written
}

fn literal(text: &str) -> Literal {
    match parse(text).unwrap().kind {
        Kind::Literal(literal) => literal,
        kind => panic!("{text}: {kind:?}"),
    }
}

fn problem(text: &str) -> String {
    parse(text).unwrap_err().in_text(text)
}

#[test]
fn operators_bind_as_the_specification_says() {
    for (text, expected) in [
        ("a or b and c", "(a or (b and c))"),
        ("a and b or c xor d", "(((a and b) or c) xor d)"),
        ("a implies b or c implies d", "((a implies (b or c)) implies d)"),
        ("a = b and c in d", "((a = b) and (c in d))"),
        ("a in b = c", "(a in (b = c))"),
        ("a | b = c | d", "((a | b) = (c | d))"),
        ("a < b = c >= d", "((a < b) = (c >= d))"),
        ("a is B | c", "((a is B) | c)"),
        ("a + b is C", "((a + b) is C)"),
        ("a as B.C = d", "((a as B.C) = d)"),
        ("1 + 2 * 3 - 4 & 'x'", "(((1 + (2 * 3)) - 4) & 'x')"),
        ("8 div 3 mod 2 / 1", "(((8 div 3) mod 2) / 1)"),
        ("-a.b + +c", "((-a.b) + (+c))"),
        ("--1", "(-(-1))"),
        ("-1 * 2", "((-1) * 2)"),
        ("a - -1", "(a - (-1))"),
        ("(a or b) and c", "((a or b) and c)"),
        ("a ~ b !~ c != d", "(((a ~ b) !~ c) != d)"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn paths_go_from_left_to_right() {
    for text in [
        "a.b.c",
        "a.where((b = 'x')).c[0].d",
        "%resource.descendants().as(canonical)",
        "%`us-zip`",
        "a.`div`.exists()",
        "iif(a, 1, {})",
        "$this.$this",
        "a.all(($index < $total), 1, b.c)",
        "contains.contains('x')",
        "is.as(Composition).in",
        "a[(b + 1)][c[0]]",
        "1.abs()",
        "(1 + 2).toString()",
        "'x'.length()",
    ] {
        assert_eq!(read(text), text);
    }
    assert_eq!(read("%'us-zip'"), "%`us-zip`");
    assert_eq!(read("a contains b in c"), "((a contains b) in c)");
    assert_eq!(read("contains contains contains"), "(contains contains contains)");
    assert_eq!(read("a.`b\\`c`"), "a.`b\\`c`");
}

#[test]
fn literals_keep_what_is_written() {
    assert_eq!(literal("{ }"), Literal::Empty);
    assert_eq!(literal("true"), Literal::Boolean(true));
    assert_eq!(literal("12"), Literal::Integer(12));
    assert_eq!(literal("1.50"), Literal::Decimal("1.50".to_owned()));
    assert_eq!(literal(r"'a\'\\\/\n\u00e9😀\`'"), Literal::String("a'\\/\né😀`".to_owned()));
    assert_eq!(literal("@2014"), Literal::Date("2014".to_owned()));
    assert_eq!(literal("@2014-01-25"), Literal::Date("2014-01-25".to_owned()));
    assert_eq!(literal("@2014-01T"), Literal::DateTime("2014-01T".to_owned()));
    for text in ["2014-01-25T14", "2014-01-25T14:30:14.559", "2014-01-25T14:30:14+02:00", "2014-01-25T14:30Z"]
    {
        let written = format!("@{text}");
        assert_eq!(literal(&written), Literal::DateTime(text.to_owned()));
    }
    assert_eq!(literal("@T14:30:14.5"), Literal::Time("14:30:14.5".to_owned()));
    let quantity = |value: &str, unit| Literal::Quantity { value: value.to_owned(), unit };
    assert_eq!(literal("4 days"), quantity("4", Unit::Calendar("day")));
    assert_eq!(literal("4.5 'mg'"), quantity("4.5", Unit::Ucum("mg".to_owned())));
}

#[test]
fn a_date_ends_where_an_operator_begins() {
    assert_eq!(read("@2014-1"), "(@2014 - 1)");
    assert_eq!(read("@2014 - 1 year"), "(@2014 - 1 year)");
    assert_eq!(read("@2014-01-25T14:30.a"), "@2014-01-25T14:30.a");
    assert_eq!(read("@T14+1"), "(@T14 + 1)");
}

#[test]
fn space_and_comments_are_skipped() {
    assert_eq!(read(" a /* ( */ . b // or c\n\t= 1"), "(a.b = 1)");
    assert_eq!(read("a // b"), "a");
}

#[test]
fn every_part_knows_its_place() {
    let text = " (a).b + c.d(1)[0] ";
    let Kind::Binary { operator: Operator::Add, left, right } = parse(text).unwrap().kind else { panic!() };
    assert_eq!(&text[left.span.start..left.span.end], "a).b");
    assert_eq!(&text[right.span.start..right.span.end], "c.d(1)[0]");
    let Kind::Indexer { of, index } = right.kind else { panic!() };
    assert_eq!(&text[of.span.start..of.span.end], "c.d(1)");
    assert_eq!(&text[index.span.start..index.span.end], "0");
}

#[test]
fn what_is_no_expression_is_refused_at_its_place() {
    for (text, expected) in [
        ("", "\n^ an expression is expected, not the end"),
        ("a b", "a b\n  ^ an operator or the end is expected, not `b`"),
        ("a..b", "a..b\n  ^ a name is expected, not `.`"),
        ("a.1", "a.1\n  ^ a name is expected, not `1`"),
        ("(a", "(a\n  ^ `)` is expected, not the end"),
        ("a)", "a)\n ^ an operator or the end is expected, not `)`"),
        ("f(a,)", "f(a,)\n    ^ an expression is expected, not `)`"),
        ("f(a b)", "f(a b)\n    ^ `,` or `)` is expected, not `b`"),
        ("a[0", "a[0\n   ^ `]` is expected, not the end"),
        ("a is 1", "a is 1\n     ^ a name is expected, not `1`"),
        ("a and", "a and\n     ^ an expression is expected, not the end"),
        ("{a}", "{a}\n ^ `}` is expected, not `a`"),
        ("%1", "%1\n ^ a name is expected, not `1`"),
        ("$that", "$that\n^ `$this`, `$index` or `$total` is expected, not `$that`"),
        ("'a", "'a\n^ a string has no end"),
        ("`a", "`a\n^ a name in backticks has no end"),
        ("a /* b", "a /* b\n  ^ a comment has no end"),
        (
            r"'a\d'",
            "'a\\d'\n  ^ a backslash is not followed by one of ' \" ` \\ / f n r t or u with four hexadecimal digits",
        ),
        ("@20", "@20\n^ no date, date with time, or time in the form of ISO 8601 follows the @"),
        ("a ! b", "a ! b\n  ^ '!' means nothing here"),
        ("a.contains(\":\")", "a.contains(\":\")\n           ^ '\"' means nothing here"),
        ("99999999999999999999", "99999999999999999999\n^ the number is too large"),
    ] {
        assert_eq!(problem(text), expected);
    }
}

#[test]
fn depth_is_limited_in_every_direction() {
    let deep =
        |start: &str, end: &str, count: usize| format!("{}a{}", start.repeat(count), end.repeat(count));
    let ways = [("(", ")"), ("f(", ")"), ("-", ""), ("", ".a"), ("", "[0]"), ("", " + a"), ("", " is A")];
    for (start, end) in ways.into_iter().chain([("(", " + a)"), ("(", ".a.a)")]) {
        parse(&deep(start, end, MAX_DEPTH / 3)).unwrap();
        let error = parse(&deep(start, end, MAX_DEPTH * 100)).unwrap_err();
        assert_eq!(error.problem, Problem::Depth, "{start}{end}");
    }
}

/// Pieces of expressions, in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "a", "b.c", "`d`", "'x'", "'", "1", "2.5", "@2024-01", "@T10:00", "%x", "$this", "{}", "(", ")", "[",
        "]", ".", ",", "+", "-", "*", "/", "div", "mod", "and", "or", "implies", "is", "as", "in",
        "contains", "|", "=", "!~", "<=", "f()", "where(", "//", "/*", "*/", " ", "\n", "é",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..20)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_an_expression_or_is_refused(text in prop_oneof![any::<String>(), soup()]) {
        if let Ok(expression) = parse(&text) {
            // What is written out is the same expression.
            let written = expression.to_string();
            prop_assert_eq!(read(&written), written);
        }
    }
}
