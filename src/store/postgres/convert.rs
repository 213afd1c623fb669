//! Parameters and columns in PostgreSQL's binary format, by the types that the statement has.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked},
};
use uuid::Uuid;

use crate::store::{
    error::StoreError,
    gathered::{Key, Statement},
    row::Column,
    value::{Param, Timestamp},
};

/// PostgreSQL counts time from 2000-01-01; this is that in microseconds since 1970.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// What a `jsonb` begins with: its version.
const JSONB_VERSION: u8 = 1;

type BoxedError = Box<dyn Error + Sync + Send>;

/// A parameter as the driver takes it.
#[derive(Debug)]
pub(super) struct Bound<'a>(pub(super) &'a Param<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        match self.0 {
            Param::Null => return Ok(IsNull::Yes),
            Param::Bool(value) if *ty == Type::BOOL => out.put_u8((*value).into()),
            Param::I16(value) => integer((*value).into(), ty, out)?,
            Param::I32(value) => integer((*value).into(), ty, out)?,
            Param::I64(value) => integer(*value, ty, out)?,
            Param::F64(value) if *ty == Type::FLOAT8 => out.put_f64(*value),
            Param::F64(value) if *ty == Type::FLOAT4 => out.put_f32(*value as f32),
            Param::Text(value) if is_text(ty) => out.put_slice(value.as_bytes()),
            Param::Text(value) | Param::Json(value) if *ty == Type::JSONB => {
                out.put_u8(JSONB_VERSION);
                out.put_slice(value.as_bytes());
            }
            Param::Text(value) | Param::Json(value) if *ty == Type::JSON || is_text(ty) => {
                out.put_slice(value.as_bytes());
            }
            Param::Bytes(value) if *ty == Type::BYTEA => out.put_slice(value),
            Param::Uuid(value) if *ty == Type::UUID => out.put_slice(value.as_bytes()),
            Param::Time(value) if is_time(ty) => out.put_i64(value.0.saturating_sub(EPOCH_MICROS)),
            Param::Uuids(values) if *ty == Type::UUID_ARRAY => {
                array(values, &Type::UUID, out, |id, out| out.put_slice(id.as_bytes()))?;
            }
            Param::Texts(values) if *ty == Type::TEXT_ARRAY || *ty == Type::VARCHAR_ARRAY => {
                array(values, &Type::TEXT, out, |text, out| out.put_slice(text.as_bytes()))?;
            }
            Param::I64s(values) if *ty == Type::INT8_ARRAY => {
                array(values, &Type::INT8, out, |value, out| out.put_i64(*value))?;
            }
            other => return Err(format!("a {} was given for a {ty}", other.kind()).into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The parameters of one of many statements, or the columns of one of many keys.
pub(super) trait Params: std::fmt::Debug {
    fn params(&self) -> &[Param<'static>];
}

impl Params for Statement {
    fn params(&self) -> &[Param<'static>] {
        &self.params
    }
}

impl Params for Key {
    fn params(&self) -> &[Param<'static>] {
        self
    }
}

/// One parameter of many, as an array.
#[derive(Debug)]
pub(super) struct BoundColumn<'a, P> {
    pub(super) of: &'a [P],
    pub(super) index: usize,
}

impl<P: Params> ToSql for BoundColumn<'_, P> {
    /// See [`array`]; an element that is null has the length -1.
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxedError> {
        let Kind::Array(element) = ty.kind() else {
            return Err(format!("an array was given for a {ty}").into());
        };
        let column = || self.of.iter().map(|it| it.params().get(self.index));
        let has_null = column().any(|it| matches!(it, None | Some(Param::Null)));
        out.put_i32(1);
        out.put_i32(has_null.into());
        out.put_u32(element.oid());
        out.put_i32(self.of.len().try_into()?);
        out.put_i32(1);
        for param in column() {
            let at = out.len();
            out.put_i32(-1);
            if let IsNull::No = Bound(param.unwrap_or(&Param::Null)).to_sql(element, out)? {
                let len = i32::try_from(out.len() - at - 4)?;
                out[at..at + 4].copy_from_slice(&len.to_be_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn is_text(ty: &Type) -> bool {
    matches!(*ty, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN)
}

fn is_time(ty: &Type) -> bool {
    matches!(*ty, Type::TIMESTAMPTZ | Type::TIMESTAMP)
}

fn integer(value: i64, ty: &Type, out: &mut BytesMut) -> Result<(), BoxedError> {
    match *ty {
        Type::INT8 => out.put_i64(value),
        Type::INT4 => out.put_i32(value.try_into()?),
        Type::INT2 => out.put_i16(value.try_into()?),
        Type::FLOAT8 => out.put_f64(value as f64),
        _ => return Err(format!("an integer was given for a {ty}").into()),
    }
    Ok(())
}

/// <https://www.postgresql.org/docs/current/protocol-overview.html>: dimensions, a flag for nulls, the
/// elements' type, length, lower bound, then each element with its length.
fn array<T>(
    values: &[T],
    element: &Type,
    out: &mut BytesMut,
    put: impl Fn(&T, &mut BytesMut),
) -> Result<(), BoxedError> {
    out.put_i32(1);
    out.put_i32(0);
    out.put_u32(element.oid());
    out.put_i32(values.len().try_into()?);
    out.put_i32(1);
    for value in values {
        let at = out.len();
        out.put_i32(0);
        put(value, out);
        let len = i32::try_from(out.len() - at - 4)?;
        out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    }
    Ok(())
}

/// A column as it came.
struct Raw<'a>(Type, &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(ty: &Type, bytes: &'a [u8]) -> Result<Self, BoxedError> {
        Ok(Self(ty.clone(), bytes))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The column at `index` as the layer's column.
pub(crate) fn column(row: &Row, index: usize) -> Result<Column<'_>, StoreError> {
    match row.try_get::<_, Option<Raw<'_>>>(index) {
        Ok(Some(Raw(ty, bytes))) => read(&ty, bytes)
            .ok_or_else(|| StoreError::statement(format_args!("a {ty} that cannot be read"))),
        Ok(None) => Ok(Column::Null),
        Err(error) => Err(StoreError::statement(error)),
    }
}

fn read<'a>(ty: &Type, bytes: &'a [u8]) -> Option<Column<'a>> {
    let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok().map(Column::Text);
    match *ty {
        Type::BOOL => Some(Column::Bool(*bytes.first()? != 0)),
        Type::INT2 => Some(Column::Int(i16::from_be_bytes(bytes.try_into().ok()?).into())),
        Type::INT4 => Some(Column::Int(i32::from_be_bytes(bytes.try_into().ok()?).into())),
        Type::INT8 => Some(Column::Int(i64::from_be_bytes(bytes.try_into().ok()?))),
        Type::FLOAT8 => Some(Column::Float(f64::from_be_bytes(bytes.try_into().ok()?))),
        Type::FLOAT4 => Some(Column::Float(f32::from_be_bytes(bytes.try_into().ok()?).into())),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::UNKNOWN => {
            text(bytes)
        }
        Type::JSONB => text(bytes.strip_prefix(&[JSONB_VERSION])?),
        Type::BYTEA => Some(Column::Bytes(bytes)),
        Type::UUID => Uuid::from_slice(bytes).ok().map(Column::Uuid),
        Type::TIMESTAMPTZ | Type::TIMESTAMP => {
            let micros = i64::from_be_bytes(bytes.try_into().ok()?);
            // `infinity` and `-infinity` are the ends of the range.
            Some(Column::Time(Timestamp(micros.saturating_add(EPOCH_MICROS))))
        }
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => texts(bytes).map(Column::Texts),
        _ => None,
    }
}

fn texts(mut bytes: &[u8]) -> Option<Vec<String>> {
    fn int(bytes: &mut &[u8]) -> Option<i32> {
        let (int, rest) = bytes.split_first_chunk::<4>()?;
        *bytes = rest;
        Some(i32::from_be_bytes(*int))
    }
    let dimensions = int(&mut bytes)?;
    let (_has_nulls, _element) = (int(&mut bytes)?, int(&mut bytes)?);
    if dimensions == 0 {
        return Some(Vec::new());
    }
    let (len, _lower_bound) = (int(&mut bytes)?, int(&mut bytes)?);
    let mut values = Vec::new();
    for _ in 0..len {
        let len = usize::try_from(int(&mut bytes)?).ok()?;
        let (value, rest) = bytes.split_at_checked(len)?;
        bytes = rest;
        values.push(std::str::from_utf8(value).ok()?.to_owned());
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(param: &Param<'_>, ty: &Type) -> Result<BytesMut, String> {
        let mut out = BytesMut::new();
        Bound(param).to_sql(ty, &mut out).map(|_| out).map_err(|error| error.to_string())
    }

    #[test]
    fn an_integer_takes_the_width_of_its_column_or_is_refused() {
        assert_eq!(bytes_of(&Param::I64(7), &Type::INT2).unwrap()[..], [0, 7]);
        assert_eq!(bytes_of(&Param::I16(7), &Type::INT8).unwrap().len(), 8);
        assert!(bytes_of(&Param::I64(1 << 40), &Type::INT4).is_err());
        assert!(bytes_of(&Param::I64(1), &Type::TEXT).is_err());
    }

    #[test]
    fn times_count_from_another_epoch() {
        let bytes =
            bytes_of(&Param::Time(Timestamp(EPOCH_MICROS + 5)), &Type::TIMESTAMPTZ).unwrap();
        assert_eq!(bytes[..], 5_i64.to_be_bytes());
        match read(&Type::TIMESTAMPTZ, &bytes) {
            Some(Column::Time(at)) => assert_eq!(at, Timestamp(EPOCH_MICROS + 5)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_array_of_texts_comes_back() {
        let param = Param::from(vec!["a".to_owned(), String::new(), "ü".to_owned()]);
        let bytes = bytes_of(&param, &Type::TEXT_ARRAY).unwrap();
        assert_eq!(texts(&bytes).unwrap(), ["a", "", "ü"]);
        assert_eq!(texts(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn a_parameter_of_many_statements_is_an_array() {
        let statement = |param| Statement { sql: "", params: vec![param], many: None };
        let statements = ["a", "", "ü"].map(|text| statement(Param::from(text.to_owned())));
        let bytes_of = |statements: &[Statement], ty| {
            let mut out = BytesMut::new();
            BoundColumn { of: statements, index: 0 }.to_sql(ty, &mut out).map(|_| out)
        };
        let bytes = bytes_of(&statements, &Type::VARCHAR_ARRAY).unwrap();
        assert_eq!(texts(&bytes).unwrap(), ["a", "", "ü"]);
        let statements = [statement(Param::I16(7)), statement(Param::Null)];
        let bytes = bytes_of(&statements, &Type::INT2_ARRAY).unwrap();
        assert_eq!(bytes[20..], [0, 0, 0, 2, 0, 7, 255, 255, 255, 255]);
        assert_eq!(bytes[4..8], [0, 0, 0, 1], "it has a null");
        assert!(bytes_of(&statements, &Type::INT2).is_err());
    }

    #[test]
    fn an_error_names_kinds_and_never_values() {
        let error = bytes_of(&Param::from("secret"), &Type::UUID).unwrap_err();
        assert!(error.contains("text") && error.contains("uuid") && !error.contains("secret"));
    }
}
