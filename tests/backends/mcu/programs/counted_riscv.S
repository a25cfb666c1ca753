    .text

    .macro function name
    .global \name
    .type \name, @function
\name:
    .endm

    function loop
    li a1, 0
1:  addi a0, a0, -1
    bnez a0, 1b
    ret

    function into_next
    li a0, 1
    li a1, 2
    function next
    add a0, a0, a1
    nop
    ret

    function dig
    addi sp, sp, -200
    sw a0, 0(sp)
    addi sp, sp, 200
    ret

    function choose
    nop
    nop
    nop
    addi a0, a0, 5
    ret
