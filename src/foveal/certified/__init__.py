"""What can be proven about an answer: that no change of some kind and size alters it.

`bounds` encloses what the torch network can answer for a box of pictures; `smoothing`, `patches` and
`patch_alarm` need nothing but answers, so they hold for the file that ships. Each names what it promises and
of whom: `bounds` of the network as it is, the others of the recognizer inside a defence.
"""
