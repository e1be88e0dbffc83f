//! Several shards on one thread: nothing in them assumes a thread of its own.

use crate::bench::{Bench, Note, bodies, bounds, get};
use ringmill_mesh::{Mesh, Places};
use ringmill_reactor::Driver;
use ringmill_sim_kernel::calm::World;
use std::sync::Arc;

#[test]
fn shards_take_turns_on_one_thread_and_keep_apart() {
    let world = World::new(4, 64);
    let (mesh, places) = (Mesh::new(4, 0), Arc::new(Places::new(1000)));
    let mut shards: Vec<Bench> = (0..4)
        .map(|shard| Bench::of_several(world.clone(), &mesh, shard, bounds(), places.clone()))
        .collect();
    let peers: Vec<_> = (0..40).map(|number| (number, world.connect(number % 4, usize::MAX))).collect();
    for (number, peer) in &peers {
        peer.write(&get(&format!("/later{number}")));
    }
    for target in [1, 2, 3] {
        shards[0].reactor.driver().request(target, Note::Ping).unwrap();
    }
    // Interleaved turn by turn, in an order that changes.
    for round in 0..200 {
        for step in 0..4 {
            shards[(step * 3 + round) % 4].turn();
        }
    }
    assert_eq!(shards[0].server.service.pongs, 3);
    for shard in &shards {
        assert_eq!((shard.server.connections_count(), shard.reactor.sockets_count()), (10, 10));
    }
    for (number, _) in &peers {
        shards[number % 4].answer(&format!("GET /later{number} "));
    }
    for (number, peer) in &peers {
        assert_eq!(bodies(&peer.read()), [format!("GET /later{number} ")]);
        peer.end();
    }
    for shard in &mut shards {
        shard.settle();
        assert_eq!(shard.server.connections_count(), 0);
        assert_eq!(shard.reactor.tasks.alive(), 0);
    }
}
