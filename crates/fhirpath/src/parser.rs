//! From tokens to a tree, by the strengths of the operators.

use crate::ast::{Expression, Kind, Literal, Sign, Span, TypeName, TypeOperator, Unit, Variable};
use crate::lexer::Lexer;
use crate::token::{Bracket, Token, TokenKind};
use crate::{ParseError, Problem};

/// How many levels the tree of an expression may have, and how deeply parentheses may be nested: a tree is walked over
/// by functions that call themselves.
pub const MAX_DEPTH: usize = 128;

/// Reads a FHIRPath expression.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    let mut lexer = Lexer::new(text);
    let token = lexer.next()?;
    let mut parser = Parser { lexer, token, end: 0, depth: 0, height: 0 };
    let expression = parser.expression(0)?;
    match parser.token.kind {
        TokenKind::End => Ok(expression),
        _ => Err(parser.expected("an operator or the end")),
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The token that comes next.
    token: Token,
    /// Where the token before it ended.
    end: usize,
    /// How many expressions the parser is in.
    depth: usize,
    /// How many levels the tree has that was read last.
    height: usize,
}

impl Parser<'_> {
    /// An expression of operators that bind more strongly than this.
    fn expression(&mut self, strength: u8) -> Result<Expression, ParseError> {
        self.depth += 1;
        self.check(self.depth)?;
        let mut expression = self.signed()?;
        loop {
            let height = self.height;
            let type_operator = match self.token.kind {
                TokenKind::NameOrOperator("is") => Some(TypeOperator::Is),
                TokenKind::NameOrOperator("as") => Some(TypeOperator::As),
                _ => None,
            };
            expression = match (type_operator, self.token.kind.operator()) {
                (Some(operator), _) if TypeOperator::STRENGTH > strength => {
                    self.advance()?;
                    let type_name = self.type_name()?;
                    let span = Span { start: expression.span.start, end: self.end };
                    Expression { kind: Kind::Type { operator, of: Box::new(expression), type_name }, span }
                }
                (None, Some(operator)) if operator.strength() > strength => {
                    self.advance()?;
                    let right = self.expression(operator.strength())?;
                    let span = expression.span.to(right.span);
                    let (left, right) = (Box::new(expression), Box::new(right));
                    Expression { kind: Kind::Binary { operator, left, right }, span }
                }
                _ => break,
            };
            self.grow(height)?;
        }
        self.depth -= 1;
        Ok(expression)
    }

    /// Notes that the tree that was read last has got a level above it, beside another tree of this height.
    fn grow(&mut self, other: usize) -> Result<(), ParseError> {
        self.height = self.height.max(other) + 1;
        self.check(self.height)
    }

    fn check(&self, levels: usize) -> Result<(), ParseError> {
        if levels > MAX_DEPTH {
            return Err(ParseError { problem: Problem::Depth, span: self.token.span });
        }
        Ok(())
    }

    /// A term with the signs before it and the steps behind it: a sign is for the whole path, `-a.b` is `-(a.b)`.
    fn signed(&mut self) -> Result<Expression, ParseError> {
        let sign = match self.token.kind {
            TokenKind::Operator(crate::Operator::Add) => Sign::Plus,
            TokenKind::Operator(crate::Operator::Subtract) => Sign::Minus,
            _ => return self.path(),
        };
        let start = self.advance()?.span;
        self.depth += 1;
        self.check(self.depth)?;
        let of = Box::new(self.signed()?);
        self.depth -= 1;
        self.grow(0)?;
        let span = start.to(of.span);
        Ok(Expression { kind: Kind::Polarity { sign, of }, span })
    }

    /// A term and the steps and indexes behind it.
    fn path(&mut self) -> Result<Expression, ParseError> {
        let mut expression = self.term()?;
        loop {
            let (start, height) = (expression.span, self.height);
            match self.token.kind {
                TokenKind::Dot => {
                    self.advance()?;
                    expression = self.step(Some(expression))?;
                }
                TokenKind::Open(Bracket::Square) => {
                    self.advance()?;
                    let index = Box::new(self.expression(0)?);
                    self.close(Bracket::Square, "`]`")?;
                    let kind = Kind::Indexer { of: Box::new(expression), index };
                    expression = Expression { kind, span: start };
                }
                _ => return Ok(expression),
            }
            expression.span = Span { start: start.start, end: self.end };
            self.grow(height)?;
        }
    }

    fn term(&mut self) -> Result<Expression, ParseError> {
        let start = self.token.span;
        self.height = 1;
        let kind = match &self.token.kind {
            TokenKind::Literal(literal) => {
                let literal = literal.clone();
                self.advance()?;
                Kind::Literal(literal)
            }
            TokenKind::Number(number) => {
                let number = number.clone();
                Kind::Literal(self.number(number)?)
            }
            TokenKind::Open(Bracket::Curly) => {
                self.advance()?;
                self.close(Bracket::Curly, "`}`")?;
                Kind::Literal(Literal::Empty)
            }
            TokenKind::Open(Bracket::Round) => {
                self.advance()?;
                let inside = self.expression(0)?;
                self.close(Bracket::Round, "`)`")?;
                return Ok(inside);
            }
            TokenKind::Percent => {
                self.advance()?;
                Kind::External(self.external()?)
            }
            TokenKind::Name(_) | TokenKind::NameOrOperator(_) | TokenKind::Variable(_) => {
                return self.step(None);
            }
            _ => return Err(self.expected("an expression")),
        };
        Ok(Expression { kind, span: Span { start: start.start, end: self.end } })
    }

    /// A name, a call or a variable.
    fn step(&mut self, of: Option<Expression>) -> Result<Expression, ParseError> {
        let token = self.token.clone();
        let of = of.map(Box::new);
        self.height = 1;
        let kind = if let TokenKind::Variable(name) = &token.kind {
            let variable = match name.as_str() {
                "$this" => Variable::This,
                "$index" => Variable::Index,
                "$total" => Variable::Total,
                _ => return Err(self.expected("`$this`, `$index` or `$total`")),
            };
            self.advance()?;
            Kind::Variable { of, variable }
        } else {
            let name = self.name()?;
            if self.token.kind == TokenKind::Open(Bracket::Round) {
                self.advance()?;
                Kind::Call { of, name, arguments: self.arguments()? }
            } else {
                Kind::Member { of, name }
            }
        };
        Ok(Expression { kind, span: Span { start: token.span.start, end: self.end } })
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, ParseError> {
        let mut arguments = Vec::new();
        let mut height = 0;
        if self.token.kind != TokenKind::Close(Bracket::Round) {
            arguments.push(self.expression(0)?);
            height = self.height;
            while self.token.kind == TokenKind::Comma {
                self.advance()?;
                arguments.push(self.expression(0)?);
                height = height.max(self.height);
            }
        }
        self.height = height + 1;
        self.close(Bracket::Round, "`,` or `)`")?;
        Ok(arguments)
    }

    fn name(&mut self) -> Result<String, ParseError> {
        let name = match &self.token.kind {
            TokenKind::Name(name) => name.clone(),
            TokenKind::NameOrOperator(name) => (*name).to_owned(),
            _ => return Err(self.expected("a name")),
        };
        self.advance()?;
        Ok(name)
    }

    /// What stands behind a `%`.
    fn external(&mut self) -> Result<String, ParseError> {
        if let TokenKind::Literal(Literal::String(name)) = &self.token.kind {
            let name = name.clone();
            self.advance()?;
            return Ok(name);
        }
        self.name()
    }

    /// The name of a type, with a namespace or without.
    fn type_name(&mut self) -> Result<TypeName, ParseError> {
        let mut type_name = TypeName { namespace: None, name: self.name()? };
        while self.token.kind == TokenKind::Dot {
            self.advance()?;
            let next = self.name()?;
            let before = std::mem::replace(&mut type_name.name, next);
            type_name.namespace = Some(match type_name.namespace {
                Some(namespace) => format!("{namespace}.{before}"),
                None => before,
            });
        }
        Ok(type_name)
    }

    /// A number, or a quantity where a unit follows.
    fn number(&mut self, value: String) -> Result<Literal, ParseError> {
        let span = self.advance()?.span;
        let unit = match &self.token.kind {
            TokenKind::Name(name) => calendar_unit(name).map(Unit::Calendar),
            TokenKind::Literal(Literal::String(unit)) => Some(Unit::Ucum(unit.clone())),
            _ => None,
        };
        if let Some(unit) = unit {
            self.advance()?;
            return Ok(Literal::Quantity { value, unit });
        }
        if value.contains('.') {
            return Ok(Literal::Decimal(value));
        }
        value.parse().map(Literal::Integer).map_err(|_| ParseError { problem: Problem::Number, span })
    }

    fn close(&mut self, bracket: Bracket, expected: &'static str) -> Result<(), ParseError> {
        if self.token.kind != TokenKind::Close(bracket) {
            return Err(self.expected(expected));
        }
        self.advance().map(drop)
    }

    /// Goes on to the next token; returns the one before it.
    fn advance(&mut self) -> Result<Token, ParseError> {
        let next = self.lexer.next()?;
        self.end = self.token.span.end;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn expected(&self, expected: &'static str) -> ParseError {
        let problem = Problem::Expected { expected, found: self.token.kind.to_string() };
        ParseError { problem, span: self.token.span }
    }
}

/// The unit of the calendar with this name, in the singular.
fn calendar_unit(name: &str) -> Option<&'static str> {
    const UNITS: [&str; 8] = ["year", "month", "week", "day", "hour", "minute", "second", "millisecond"];
    let singular = name.strip_suffix('s').unwrap_or(name);
    UNITS.into_iter().find(|unit| *unit == singular)
}

#[cfg(test)]
mod tests;
