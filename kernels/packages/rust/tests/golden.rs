// SPDX-License-Identifier: Apache-2.0
//! The golden vectors, where the kernels are portable: `cargo test`. Written by edgevit.
use ev_model::*;

@VECTORS@

#[test]
fn the_outputs_are_the_golden_ones() {
    let mut arena = Box::new(Arena::new());
@BUFFERS@
@CALLS@
}
