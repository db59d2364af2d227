package main

// sids is one more than the highest id of rules.
const sids = 10

const rules = `alert http any any -> any any (flow:to_server; http.uri; content:"/evil"; sid:1;)
alert http any any -> any any (flow:to_server; http.user_agent; content:"evilua"; sid:2;)
alert http any any -> any any (flow:to_server; http.request_body; content:"EVILBODY"; sid:3;)
alert http any any -> any any (flow:to_client; file.data; content:"EVILDATA"; sid:4;)
alert http any any -> any any (flow:to_server; http.host; content:"evil.example"; sid:5;)
alert http any any -> any any (flow:to_client; http.stat_code; content:"200"; sid:6;)
alert http any any -> any any (flow:to_server; http.method; content:"S"; sid:7;)
alert http any any -> any any (flow:to_server; http.cookie; content:"evilcookie"; sid:8;)
alert http any any -> any any (flow:to_server; http.header; content:"evilua"; sid:9;)
`
