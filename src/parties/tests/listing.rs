//! Listing parties across shards.

use std::{cell::RefCell, rc::Rc};

use kakera_proto::{api, realtime::PartyCreate};
use kakera_shards::sim::Faults;

use super::world::World;
use crate::parties::{Ask, ListError, PartyRef};

type Listed = Result<api::PartyList, ListError>;

fn list(world: &mut World, request: &api::ListPartiesRequest) -> Listed {
    let listed: Rc<RefCell<Option<Listed>>> = Rc::default();
    let put = Rc::clone(&listed);
    world.on(0, |home| {
        home.parties.list_then(request, false, move |answer| *put.borrow_mut() = Some(answer));
    });
    world.settle();
    let listed = listed.borrow_mut().take();
    listed.expect("an answer")
}

fn ids(listed: &api::PartyList) -> Vec<String> {
    listed.parties.iter().map(|party| party.party_id.clone()).collect()
}

#[test]
fn a_listing_shows_the_parties_of_all_shards_by_age_and_leaves_hidden_ones_out() {
    let mut world = World::new(5, 3, Faults::default(), false);
    let mut made = Vec::new();
    for number in 0..30_u128 {
        let guest = world.open((number % 3) as usize, number + 1);
        let create = PartyCreate {
            open: number.is_multiple_of(2),
            max_size: 7,
            label: if number.is_multiple_of(5) {
                r#"{"mode":"ranked"}"#.into()
            } else {
                String::new()
            },
            hidden: number == 29,
        };
        let answered = world.create(guest, create);
        world.sim.run_for(std::time::Duration::from_millis(1));
        made.push((guest, answered.borrow_mut().take().unwrap().unwrap().party_id));
    }
    let made_ids: Vec<_> = made.iter().map(|(_, id)| id.clone()).collect();
    let all = list(&mut world, &api::ListPartiesRequest { limit: Some(100), ..Default::default() })
        .unwrap();
    assert_eq!(ids(&all), made_ids[..29]);
    assert_eq!(all.cursor, "");
    let first = &all.parties[0];
    assert_eq!((first.open, first.hidden, first.max_size), (true, false, 7));
    assert_eq!(
        (first.label.as_str(), all.parties[1].label.as_str()),
        (r#"{"mode":"ranked"}"#, "{}")
    );

    let mut pages = Vec::new();
    let mut request = api::ListPartiesRequest { limit: Some(7), ..Default::default() };
    loop {
        let page = list(&mut world, &request).unwrap();
        pages.extend(ids(&page));
        if page.cursor.is_empty() {
            break;
        }
        request.cursor = Some(page.cursor);
    }
    assert_eq!(pages, made_ids[..29]);

    let open = api::ListPartiesRequest { open: Some(true), ..Default::default() };
    let open = list(&mut world, &open).unwrap();
    assert_eq!(open.parties.len(), 10);
    assert!(open.parties.iter().all(|party| party.open) && !open.cursor.is_empty());
    let ranked =
        api::ListPartiesRequest { query: Some("+label.mode:ranked".into()), ..Default::default() };
    assert_eq!(list(&mut world, &ranked).unwrap().parties.len(), 6);
    let search =
        api::ListPartiesRequest { query: Some("label.mode:rank*".into()), ..Default::default() };
    assert_eq!(list(&mut world, &search), Err(ListError::Query));

    // What changes is listed as it is.
    let (leader, id) = made[5].clone();
    let update = Ask::Update { label: "".into(), open: true, hidden: true };
    world.asked(leader, &id, update).unwrap();
    assert_eq!(list(&mut world, &ranked).unwrap().parties.len(), 5);
    let (leader, id) = made[0].clone();
    world.left(leader, &id);
    assert_eq!(list(&mut world, &ranked).unwrap().parties.len(), 4);
    let home = PartyRef::read(&id).unwrap().id.home();
    assert_eq!(home, world.shards[0].address);
}
