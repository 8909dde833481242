//! Windows of associations.

use super::*;

fn to(id: u64, types: &[u64]) -> String {
    let types: Vec<String> =
        types.iter().map(|id| format!("{{\"category\":\"HUBSPOT_DEFINED\",\"typeId\":{id}, \"label\":null}}")).collect();
    format!("{{\"toObjectId\": {id},\"associationTypes\":[{}]}}", types.join(","))
}

#[tokio::test]
async fn only_associations_that_changed_land() {
    let mut account = account();
    account.pairs.insert(1, (71..=75).map(|id| to(id, &[279])).collect());
    account.pairs.insert(2, vec![to(71, &[1, 279]), to(72, &[279])]);
    account.pairs.insert(9, vec![to(71, &[279])]);
    let world = World::new(PAIRS, account);
    let (landed, rows) = world.land(FIRST, 1).await;
    let all = ["1/71", "1/72", "1/73", "1/74", "1/75", "2/71", "2/72"];
    assert_eq!(rows, seen(&all.map(|key| (key, "present", 0))), "of live contacts, every page");
    assert_eq!(landed.facts["associations"].as_u64(), Some(7));
    assert_eq!(world.rows(None).await[&("2/71".into(), "present".into(), 0)], Some(to(71, &[1, 279])));

    {
        let mut account = world.server.account();
        account.pairs.insert(1, (72..=76).map(|id| to(id, &[279])).collect());
        account.pairs.insert(2, vec![to(71, &[279, 1]), to(72, &[1, 279])]);
    }
    let expected = seen(&[("1/71", "absent", DAY), ("1/76", "present", DAY), ("2/72", "present", DAY)]);
    assert_eq!(world.land("2017-12-31", 1).await.1, expected, "removed, new, of other types");
    world.server.account().live.remove(&2);
    let (landed, rows) = world.land("2018-01-01", 1).await;
    assert_eq!(rows, seen(&[("2/71", "absent", 2 * DAY), ("2/72", "absent", 2 * DAY)]), "their contact is gone");
    assert_eq!((landed.read, landed.facts["absent"].as_u64()), (2, Some(2)));
    assert_eq!(world.land("2018-01-02", 1).await.1, []);
}

#[tokio::test]
async fn associations_of_an_object_that_a_list_misses_are_not_gone() {
    let mut account = account();
    account.pairs.insert(1, (71..=73).map(|id| to(id, &[279])).collect());
    account.pairs.insert(2, vec![to(71, &[279])]);
    let world = World::new(PAIRS, account);
    world.land(FIRST, 1).await;
    {
        let mut account = world.server.account();
        account.hidden = vec![1];
        account.live.remove(&2);
        account.pairs.insert(1, vec![to(71, &[279]), to(72, &[279]), to(74, &[279])]);
    }
    let (landed, rows) = world.land("2017-12-31", 1).await;
    assert_eq!(rows, seen(&[("1/73", "absent", DAY), ("1/74", "present", DAY), ("2/71", "absent", DAY)]));
    assert_eq!((landed.read, landed.facts["live"].as_u64(), landed.facts["absent"].as_u64()), (3, Some(4), Some(2)));
}

#[tokio::test]
async fn an_association_is_there_since_it_was_last_found_new() {
    let mut account = account();
    account.pairs.insert(1, vec![to(71, &[279]), to(72, &[279])]);
    let world = World::new(PAIRS, account);
    let set = |pairs: Vec<String>| drop(world.server.account().pairs.insert(1, pairs));
    let since = |rows: &[(&str, i64)]| rows.iter().map(|(key, day)| ((*key).to_owned(), *day)).collect::<BTreeMap<_, _>>();
    world.land("2017-12-30", 1).await;
    assert_eq!(world.present_since("2017-12-30").await, since(&[("1/71", 0), ("1/72", 0)]));

    set(vec![to(71, &[1, 279]), to(73, &[279])]);
    world.land("2017-12-31", 1).await;
    let kept = since(&[("1/71", 0), ("1/72", 0), ("1/73", 1)]);
    assert_eq!(world.present_since("2017-12-31").await, kept, "other types and a removal keep it");

    set(vec![to(71, &[279]), to(72, &[279]), to(73, &[279])]);
    world.land("2018-01-01", 1).await;
    assert_eq!(world.present_since("2018-01-01").await, since(&[("1/71", 0), ("1/72", 2)]), "what comes back begins anew");

    let (_, rows) = world.land("2017-12-31", 2).await;
    assert_eq!(rows, seen(&[("1/73", "present", DAY)]), "what a later window has found is not told anew");
    assert_eq!(world.present_since("2017-12-31").await, since(&[("1/73", 1)]));
}
