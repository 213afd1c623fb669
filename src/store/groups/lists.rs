//! Pages of groups, of a group's users, and of a user's groups.

use uuid::Uuid;

use super::{GroupRecord, MemberState, rows::group_columns};
use crate::{
    ids::{GroupId, UserId},
    store::{
        Columns, FromRow, Param, Reader, Store, StoreError, Timestamp,
        users::{UserRecord, profiles::user_columns},
    },
};

/// More rows than this in one page are read apart from the shard: the longest page of players, and the row
/// that tells of the next one.
const SHORT_PAGE_LEN: i64 = 101;

/// Somebody in a group.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberRecord {
    pub user: UserRecord,
    pub state: MemberState,
    /// Where it stands among those of the state.
    pub position: i64,
}

/// A group that somebody is in.
#[derive(Clone, Debug, PartialEq)]
pub struct MembershipRecord {
    pub group: GroupRecord,
    pub state: MemberState,
    /// Where it stands among those of the state.
    pub position: i64,
}

impl FromRow for MemberRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let user = UserRecord::from_row(columns)?;
        Ok(Self { user, state: columns.take()?, position: columns.take()? })
    }
}

impl FromRow for MembershipRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let group = GroupRecord::from_row(columns)?;
        Ok(Self { group, state: columns.take()?, position: columns.take()? })
    }
}

/// The users of a group by state and position, beginning with the place `from`; of one `state`, or of all but
/// those who are banned.
pub async fn users_of(
    store: &Store,
    group: GroupId,
    state: Option<MemberState>,
    from: Option<(MemberState, i64)>,
    limit: u32,
) -> Result<Vec<MemberRecord>, StoreError> {
    let select = concat!(
        "select ",
        user_columns!(),
        ", e.state, e.position from group_edge e join users u on u.id = e.destination_id"
    );
    edges(store, select, group.0, state, from, limit).await
}

/// The groups of a user, ordered and chosen as [`users_of`].
pub async fn memberships(
    store: &Store,
    user: UserId,
    state: Option<MemberState>,
    from: Option<(MemberState, i64)>,
    limit: u32,
) -> Result<Vec<MembershipRecord>, StoreError> {
    let select = concat!(
        "select ",
        group_columns!(),
        ", e.state, e.position from group_edge e join groups g on g.id = e.destination_id"
    );
    edges(store, select, user.0, state, from, limit).await
}

async fn edges<T: FromRow + Send + 'static>(
    store: &Store,
    select: &'static str,
    source: Uuid,
    state: Option<MemberState>,
    from: Option<(MemberState, i64)>,
    limit: u32,
) -> Result<Vec<T>, StoreError> {
    let limit = i64::from(limit);
    let steps = async move |reader: &mut Reader<'_>| {
        let mut params = vec![Param::from(source), Param::from(limit)];
        let which = match (state, from) {
            (None, None) => "e.state >= 0 and e.state <= 3",
            (Some(state), None) => {
                params.push(Param::from(state as i16));
                "e.state = $3"
            }
            (None, Some((state, position))) => {
                params.extend([Param::from(state as i16), Param::from(position)]);
                "e.state >= 0 and e.state <= 3 and (e.state, e.position) >= ($3, $4)"
            }
            (Some(state), Some((_, position))) => {
                params.extend([Param::from(state as i16), Param::from(position)]);
                "e.state = $3 and e.position >= $4"
            }
        };
        let sql = format!(
            "{select} where e.source_id = $1 and {which} order by e.state, e.position limit $2"
        );
        reader.all(&sql, &params).await
    };
    if limit <= SHORT_PAGE_LEN { store.read(steps).await } else { store.scan(steps).await }
}

/// Which groups, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupSelect {
    /// Those whose name is like this pattern, whatever its case: by name.
    Name(String),
    /// Those that fit whatever is named. With `open` and `members` or a language: the largest first.
    Filter {
        open: Option<bool>,
        lang_tag: Option<String>,
        /// The largest number of members.
        members: Option<i32>,
    },
}

/// Where a page ends: all by which groups are ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPlace {
    pub name: String,
    pub lang_tag: String,
    pub edge_count: i32,
    pub update_time: Timestamp,
    pub id: GroupId,
}

/// The groups after the place.
pub async fn list(
    store: &Store,
    select: GroupSelect,
    after: Option<GroupPlace>,
    limit: u32,
) -> Result<Vec<GroupRecord>, StoreError> {
    let limit = i64::from(limit);
    let steps = async move |reader: &mut Reader<'_>| {
        let (sql, params) = list_statement(&select, after.as_ref(), limit);
        reader.all(&sql, &params).await
    };
    // A pattern, and filters without an index of their own, look at many groups.
    store.scan(steps).await
}

/// A column to order by, of those that indexes begin with.
#[derive(Clone, Copy)]
enum Key {
    Lang,
    Count,
    Updated,
    Id,
}

impl Key {
    fn column(self) -> &'static str {
        match self {
            Self::Lang => "g.lang_tag",
            Self::Count => "g.edge_count",
            Self::Updated => "g.update_time",
            Self::Id => "g.id",
        }
    }

    fn of(self, place: &GroupPlace) -> Param<'_> {
        match self {
            Self::Lang => Param::from(&place.lang_tag),
            Self::Count => Param::from(place.edge_count),
            Self::Updated => Param::from(place.update_time),
            Self::Id => Param::from(place.id),
        }
    }
}

/// The order of each combination of filters, and whether it descends.
fn order(open: bool, lang: bool, members: bool) -> (&'static [Key], bool) {
    use Key::{Count, Id, Lang, Updated};
    match (open, lang, members) {
        (true, false, true) => (&[Count, Lang, Id], true),
        (true, true, _) | (false, true, true) => (&[Count, Id], true),
        (false, true, false) => (&[Count, Id], false),
        (false, false, true) => (&[Count, Updated, Id], true),
        (_, false, false) => (&[Updated, Count, Id], false),
    }
}

/// The statement of [`list`], for those who ask the database how it would go about it.
pub fn list_statement<'a>(
    select: &'a GroupSelect,
    after: Option<&'a GroupPlace>,
    limit: i64,
) -> (String, Vec<Param<'a>>) {
    let mut params = vec![Param::from(limit)];
    let mut sql = String::from(concat!("select ", group_columns!(), " from groups g where "));
    sql.push_str(match select {
        // To go by name and stop when the page is full; SQLite would rather gather all that are not disabled.
        GroupSelect::Name(_) => "not g.disable_time <> {epoch}",
        GroupSelect::Filter { .. } => "g.disable_time = {epoch}",
    });
    let bind = |params: &mut Vec<Param<'a>>, param: Param<'a>| {
        params.push(param);
        format!("${}", params.len())
    };
    match select {
        GroupSelect::Name(pattern) => {
            let pattern = bind(&mut params, Param::from(pattern));
            sql.extend([" and g.name {like} ", &pattern, " escape '\\'"]);
            if let Some(place) = after {
                let name = bind(&mut params, Param::from(&place.name));
                sql.extend([" and g.name > ", &name]);
            }
            sql.push_str(" order by g.name");
        }
        GroupSelect::Filter { open, lang_tag, members } => {
            if let Some(open) = open {
                let state = bind(&mut params, Param::from(i16::from(!open)));
                sql.extend([" and g.state = ", &state]);
            }
            if let Some(lang_tag) = lang_tag {
                let lang_tag = bind(&mut params, Param::from(lang_tag));
                sql.extend([" and g.lang_tag = ", &lang_tag]);
            }
            if let Some(members) = members {
                let members = bind(&mut params, Param::from(*members));
                // One upper bound for the index: where the last page ended, once there was one.
                let column =
                    if after.is_some() { " and +g.edge_count" } else { " and g.edge_count" };
                sql.extend([column, " <= ", &members]);
            }
            let (keys, descends) = order(open.is_some(), lang_tag.is_some(), members.is_some());
            let columns = keys.iter().map(|key| key.column());
            if let Some(place) = after {
                let values: Vec<_> =
                    keys.iter().map(|key| bind(&mut params, key.of(place))).collect();
                let columns: Vec<_> = columns.clone().collect();
                let than = if descends { "<" } else { ">" };
                let (columns, values) = (columns.join(", "), values.join(", "));
                sql.extend([" and (", &columns, ") ", than, " (", &values, ")"]);
            }
            let direction = if descends { " desc" } else { "" };
            let columns: Vec<_> = columns.map(|column| format!("{column}{direction}")).collect();
            sql.extend([" order by ", &columns.join(", ")]);
        }
    }
    sql.push_str(" limit $1");
    (sql, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_compared_by_what_the_groups_are_ordered_by() {
        let place = GroupPlace {
            name: "n".to_owned(),
            lang_tag: "en".to_owned(),
            edge_count: 3,
            update_time: Timestamp(5),
            id: GroupId::NIL,
        };
        for bits in 0..8 {
            let select = GroupSelect::Filter {
                open: (bits & 1 > 0).then_some(true),
                lang_tag: (bits & 2 > 0).then(|| "en".to_owned()),
                members: (bits & 4 > 0).then_some(9),
            };
            let (sql, params) = list_statement(&select, Some(&place), 1);
            let ordered = sql.split_once(" order by ").unwrap().1.replace(" limit $1", "");
            let compared = sql.rsplit_once(" and (").unwrap().1;
            let (columns, rest) = compared.split_once(") ").unwrap();
            assert_eq!(columns, ordered.replace(" desc", ""), "{sql}");
            assert_eq!(rest.starts_with('<'), ordered.contains("desc"), "{sql}");
            assert!(sql.contains(&format!("${}", params.len())), "{sql}");
            assert!(!sql.contains(&format!("${}", params.len() + 1)), "{sql}");
        }
    }
}
